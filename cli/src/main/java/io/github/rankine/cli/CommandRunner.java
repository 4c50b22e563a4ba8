package io.github.rankine.cli;

import io.github.rankine.engine.RankineException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Runs a command line: wrong usage, failures and bugs each become a line on standard error and an exit code. */
final class CommandRunner {
    private final Terminal terminal;
    private final Rankine rankine = new Rankine();
    private final Interruption interruption = new Interruption();
    private ConfigFile config;

    CommandRunner(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Exit code: 0 done, 2 wrong usage, 1 any other failure. */
    int run(String... args) {
        try {
            CommandLine commandLine = commandLine();
            return commandLine.execute(withConfigFile(commandLine, args));
        } catch (RankineException e) {
            return failed(e);
        } finally {
            interruption.end();
        }
    }

    private String[] withConfigFile(CommandLine commandLine, String[] args) {
        CommandLine command =
                args.length == 0 ? null : commandLine.getSubcommands().get(args[0]);
        if (command == null || !command.getCommandSpec().optionsMap().containsKey(ConfigFile.OPTION)) {
            return args;
        }
        return ConfigFile.in(args)
                .map(path -> {
                    config = ConfigFile.read(path, command.getCommandSpec()).behind(args);
                    return config.addTo(args);
                })
                .orElse(args);
    }

    CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(rankine);
        commands().forEach(commandLine::addSubcommand);
        List.of(new ExportGgufCommand(terminal), new ExportMlxCommand(terminal))
                .forEach(commandLine.getSubcommands().get("export")::addSubcommand);
        return commandLine
                .setOut(new PrintWriter(terminal.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(terminal.err(), true, StandardCharsets.UTF_8))
                .setUsageHelpAutoWidth(true)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionStrategy(this::execute)
                .setParameterExceptionHandler((e, _) -> wrongUsage(e));
    }

    private int execute(ParseResult parsed) {
        rankine.applyDebug();
        try {
            return new CommandLine.RunLast().execute(parsed);
        } catch (ParameterException e) {
            throw e;
        } catch (ExecutionException e) {
            return failed(e.getCause());
        } catch (RuntimeException | Error e) {
            return failed(e);
        }
    }

    /** In the order that help shows them. */
    private List<Object> commands() {
        return List.of(
                new FinetuneCommand(terminal, interruption),
                new GenerateCommand(terminal),
                new EvaluateCommand(terminal),
                new LogitsCommand(terminal),
                new MergeCommand(terminal),
                new QuantizeCommand(terminal),
                new ExportCommand(),
                new SvdCommand(terminal),
                new ExtractCommand(terminal),
                new CommandLine(new AdaptersCommand())
                        .addSubcommand(new CombineCommand(terminal))
                        .addSubcommand(new AnswerCommand(terminal)),
                new InspectCommand(terminal),
                new PlanCommand(terminal),
                new DevicesCommand(),
                new DemoCommand(terminal),
                new PretrainCommand(terminal));
    }

    private int wrongUsage(ParameterException e) {
        CommandLine command = e.getCommandLine();
        terminal.err()
                .println("rankine: " + (isFromConfigFile(e) ? config.path() + ": " : "") + firstLine(e.getMessage()));
        CommandLine.UnmatchedArgumentException.printSuggestions(e, command.getErr());
        terminal.err().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        return CommandLine.ExitCode.USAGE;
    }

    private boolean isFromConfigFile(ParameterException e) {
        return config != null
                && e.getArgSpec() instanceof OptionSpec option
                && config.values().containsKey(option.longestName().substring(2));
    }

    private int failed(Throwable e) {
        if (e instanceof Output.ClosedException) {
            return CommandLine.ExitCode.OK;
        }
        terminal.err().println("rankine: " + explain(e));
        if (rankine.debug()) {
            e.printStackTrace(terminal.err());
        }
        return CommandLine.ExitCode.SOFTWARE;
    }

    private String explain(Throwable e) {
        return switch (e) {
            case RankineException known -> known.getMessage();
            case OutOfMemoryError _ ->
                "out of memory (" + firstLine(e.getMessage())
                        + "): lower --batch-size or --max-length, or allow Java more,"
                        + " as in RANKINE_JAVA_OPTS=-Xmx4g";
            // What the JVM makes of a page of a mapped file that is no longer there.
            case InternalError _ ->
                "a file changed while it was read, or its disk failed: try again (" + firstLine(e.getMessage()) + ")";
            default ->
                "a bug in Rankine: " + firstLine(e) + "; please report it with "
                        + (rankine.debug() ? "what follows" : "what --debug shows");
        };
    }

    private static String firstLine(Object text) {
        return String.valueOf(text).lines().findFirst().orElse("");
    }
}
