package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.run.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {
    @TempDir
    private Path temp;

    /** Two steps teach nothing: the demo goes on to its end and then says which promises it broke. */
    @Test
    void aDemoThatMissesItsGoalsSaysSoAndFails() throws IOException {
        Path folder = temp.resolve("demo");
        CommandLineRun run = CommandLineRun.of("demo", "--steps", 2, "--held-out", 8, "--output", folder, "--json");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .contains("rankine: the demo did not come out as it should: the adapter 'record' answers")
                .contains("the adapter 'robot' answers")
                .doesNotContain("a bug in Rankine");
        JsonNode result = Json.parse(run.out(), "standard output");
        assertThat(result.get("missed")).hasSize(2);
        for (String task : List.of("record", "robot")) {
            assertThat(result.at("/" + task + "/base_accuracy").doubleValue()).isZero();
            assertThat(result.at("/" + task + "/examples").intValue()).isEqualTo(8);
            RunFolder lesson = new RunFolder(folder.resolve(task));
            assertThat(lesson.metrics()).isNotEmptyFile();
            if (Fonts.areThere()) {
                assertThat(lesson.lossPicture()).isNotEmptyFile();
            }
            assertThat(Files.readAllLines(folder.resolve(task + ".heldout.jsonl")))
                    .hasSize(8);
        }
        assertThat(result.get("base_sha256_after")).isEqualTo(result.get("base_sha256_before"));
        assertThat(Checksum.sha256(folder.resolve("model/model.safetensors")))
                .isEqualTo(result.get("base_sha256_before").textValue());

        CommandLineRun generate = CommandLineRun.of(
                "generate",
                "--model",
                folder.resolve("model"),
                "--adapter",
                folder.resolve("robot"),
                "--prompt",
                "Please bring two red lamps from the mill. Robot:",
                "--max-new-tokens",
                4);
        assertThat(generate.exitCode()).as(generate.err()).isZero();
        assertThat(generate.out()).isNotBlank();
    }

    /** The same for the demo of low ranks, which trains twice. */
    @Test
    void aDemoOfLowRanksThatMissesItsGoalsSaysSoAndFails() {
        Path folder = temp.resolve("demo");
        CommandLineRun run =
                CommandLineRun.of("demo", "--low-rank", "--steps", 2, "--held-out", 8, "--output", folder, "--json");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .contains("the full fine-tune answers 0 of 8, not over 90 %")
                .contains("the adapter of rank 4 answers 0 of 8")
                .doesNotContain("a bug in Rankine");
        JsonNode result = Json.parse(run.out(), "standard output");
        double before = 0;
        assertThat(result.get("ranks")).hasSize(5);
        for (JsonNode rank : result.get("ranks")) {
            assertThat(rank.get("energy").doubleValue()).isGreaterThan(before);
            before = rank.get("energy").doubleValue();
        }
        assertThat(before).isLessThan(1);
    }

    @Test
    void aFolderThatHoldsSomethingIsRefused() throws IOException {
        Files.writeString(temp.resolve("mine.txt"), "mine");
        CommandLineRun run = CommandLineRun.of("demo", "--output", temp);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .isEqualTo(
                        "rankine: " + temp + ": holds something already; choose a new or empty folder as --output\n");
        assertThat(temp).isDirectoryNotContaining("glob:**/model");
    }

    @Test
    void wordsForTheShell() {
        assertThat(DemoShell.quoted("rankine-demo/model")).isEqualTo("rankine-demo/model");
        assertThat(DemoShell.quoted("It's here.")).isEqualTo("'It'\\''s here.'");
    }

    @Test
    void checksumOfAFile() throws IOException {
        Path file = Files.writeString(temp.resolve("abc"), "abc");
        assertThat(Checksum.sha256(file)).isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
