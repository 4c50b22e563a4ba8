package io.github.rankine.bench;

import io.github.rankine.bench.jmh.Peak;
import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.openjdk.jmh.Main;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code bench/run jmh}: hands its arguments to JMH, and tells what it measured as a share of the machine's limits too. */
@Command(
        name = "jmh",
        description = {
            "Runs JMH benchmarks, and then measures the machine's limits to tell each rate's share. Arguments are"
                    + " JMH's own, as in",
            "  bench/run jmh Products.forward -p kernels=vector -p rows=1024 -p threads=2",
            "  bench/run jmh -h",
            "  bench/run jmh -l"
        })
final class JmhCommand implements Runnable {
    private static final String THREADS = "threads";

    @Parameters(arity = "0..*", paramLabel = "ARGUMENT", description = "JMH's arguments.")
    private List<String> arguments = List.of();

    @Override
    public void run() {
        String[] given = arguments.toArray(String[]::new);
        try {
            CommandLineOptions options = new CommandLineOptions(given);
            if (options.shouldHelp()
                    || options.shouldList()
                    || options.shouldListWithParams()
                    || options.shouldListProfilers()) {
                Main.main(given);
                return;
            }
            Collection<RunResult> results = new Runner(options).run();
            if (results.isEmpty()) {
                throw new RankineException("jmh: nothing was measured, see above");
            }
            report(results);
        } catch (CommandLineOptionException | RunnerException e) {
            throw new RankineException("jmh: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void report(Collection<RunResult> results) throws RunnerException {
        Map<String, Map<String, Double>> limits = new TreeMap<>();
        System.out.printf("%n%-64s %10s %10s %10s %10s%n", "Benchmark", "GFLOP/s", "of peak", "GB/s", "of peak");
        for (RunResult result : results) {
            String threads = result.getParams().getParam(THREADS);
            if (!limits.containsKey(threads)) {
                limits.put(threads, limits(threads));
            }
            Map<String, Double> limit = limits.get(threads);
            System.out.printf(
                    "%-64s %s %s%n",
                    name(result.getParams()), rate(result, "gflop", limit), rate(result, "gbyte", limit));
        }
    }

    /** What the machine can do at most on that many threads, measured now. */
    private static Map<String, Double> limits(String threads) throws RunnerException {
        Collection<RunResult> peaks = new Runner(new OptionsBuilder()
                        .include(Peak.class.getName() + "\\.")
                        .param(THREADS, threads)
                        .forks(1)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();
        return peaks.stream()
                .flatMap(peak -> peak.getSecondaryResults().values().stream())
                .filter(result -> result.getScore() > 0)
                .collect(Collectors.toMap(Result::getLabel, Result::getScore, Math::max));
    }

    private static String rate(RunResult result, String counter, Map<String, Double> limits) {
        Result<?> rate = result.getSecondaryResults().get(counter);
        if (rate == null || rate.getScore() == 0) {
            return String.format("%10s %10s", "", "");
        }
        return String.format(Locale.ROOT, "%10.2f %10.3f", rate.getScore(), rate.getScore() / limits.get(counter));
    }

    private static String name(BenchmarkParams params) {
        String name = params.getBenchmark();
        String method = name.substring(name.lastIndexOf('.', name.lastIndexOf('.') - 1) + 1);
        return method + " "
                + params.getParamsKeys().stream().map(params::getParam).collect(Collectors.joining(" "));
    }
}
