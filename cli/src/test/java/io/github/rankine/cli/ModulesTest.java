package io.github.rankine.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Which way the modules depend, and on what. It stands here because all modules are on this one's class path. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ModulesTest {
    private static final String ENGINE = "io.github.rankine.engine..";
    private static final String REFERENCE = "io.github.rankine.reference..";
    private static final String MODELS = "io.github.rankine.models..";
    private static final String CLI = "io.github.rankine.cli..";
    private static final String[] JDK = {"java..", "javax..", "jdk..", "com.sun.management.."};

    private final JavaClasses rankine = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.github.rankine");

    @Test
    void engineNeedsOnlyTheJdkAndSlf4j() {
        classes()
                .that()
                .resideInAPackage(ENGINE)
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(and(JDK, ENGINE, "org.slf4j"))
                .check(rankine);
    }

    @Test
    void referenceNeedsOnlyTheEngineAndCommonsMath() {
        classes()
                .that()
                .resideInAPackage(REFERENCE)
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(and(JDK, REFERENCE, ENGINE, "org.apache.commons.math3.."))
                .check(rankine);
    }

    @Test
    void modelsKnowNeitherTheReferenceNorTheCommands() {
        noClasses()
                .that()
                .resideInAPackage(MODELS)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(REFERENCE, CLI)
                .check(rankine);
    }

    @Test
    void nothingDependsOnTheCommands() {
        noClasses()
                .that()
                .resideOutsideOfPackage(CLI)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(CLI)
                .check(rankine);
    }

    @Test
    void theEnginesPackagesHaveNoCycle() {
        slices().matching("io.github.rankine.engine.(*)..")
                .should()
                .beFreeOfCycles()
                .check(rankine);
    }

    private static String[] and(String[] packages, String... more) {
        String[] all = Arrays.copyOf(packages, packages.length + more.length);
        System.arraycopy(more, 0, all, packages.length, more.length);
        return all;
    }
}
