package io.github.rankine.cli;

import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints: the version that the jar's manifest carries, and the Java that runs it. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        String packaged = Rankine.class.getPackage().getImplementationVersion();
        String version = packaged == null ? "(run from its classes)" : packaged;
        return new String[] {
            "rankine " + version,
            "Java " + Runtime.version() + ", " + System.getProperty("os.name") + " " + System.getProperty("os.arch")
        };
    }
}
