package io.github.rankine.bench;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code bench/run products}: the linear layer's product, for {@code bench/compare} to run in turn with another's. */
@Command(
        name = "products",
        mixinStandardHelpOptions = true,
        description = "For each line 'rows outputs inputs' of standard input, prints the GFLOP/s of that linear layer's"
                + " product; for a line 'peak', that of multiply-adds in registers.")
final class ProductsCommand implements Runnable {
    private static final double WARM_UP_SECONDS = 1;
    private static final double FLOP = 1e10;

    @Option(names = "--weights", paramLabel = "TYPE", description = "f32, bf16 or f16 (default: ${DEFAULT-VALUE}).")
    private String weights = "f32";

    @Mixin
    private RunOptions options;

    /** The operands of a product. */
    private record Case(Tensor x, Weight weight, Tensor y) {}

    @Override
    public void run() {
        DType type = Operands.type("--weights", weights);
        Map<String, Case> cases = new HashMap<>();
        try (Kernels kernels = options.open();
                MultiplyAddRate peak = new MultiplyAddRate(options.threads());
                Arena arena = Arena.ofShared();
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.equals("peak")) {
                    print(gigaflops(peak));
                    continue;
                }
                boolean fresh = !cases.containsKey(line);
                Case operands = cases.computeIfAbsent(line, text -> parse(text, type, kernels, arena));
                if (fresh) {
                    long start = System.nanoTime();
                    while ((System.nanoTime() - start) * 1e-9 < WARM_UP_SECONDS) {
                        kernels.matmulNT(operands.x, operands.weight, operands.y, 1, false);
                        kernels.finish();
                    }
                }
                print(gigaflops(kernels, operands));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void print(double gigaflops) {
        System.out.printf(Locale.ROOT, "%.3f%n", gigaflops);
        System.out.flush();
    }

    private static Case parse(String line, DType type, Kernels kernels, Arena arena) {
        try {
            String[] parts = line.strip().split("\\s+");
            int rows = Integer.parseInt(parts[0]);
            int outputs = Integer.parseInt(parts[1]);
            int inputs = Integer.parseInt(parts[2]);
            Tensor x = Operands.tensor(arena, rows, inputs);
            Tensor y = Tensor.allocate(arena, rows, outputs);
            kernels.adopt(x.segment(), arena);
            kernels.adopt(y.segment(), arena);
            return new Case(x, Operands.weight(arena, type, outputs, inputs), y);
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new RankineException("standard input: '" + line + "' is not 'rows outputs inputs'", e);
        }
    }

    private static double gigaflops(Kernels kernels, Case operands) {
        double flop = 2.0 * operands.x.rows() * operands.weight.size();
        int repeats = Math.max(1, (int) (FLOP / flop));
        long start = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            kernels.matmulNT(operands.x, operands.weight, operands.y, 1, false);
        }
        kernels.finish();
        return flop * repeats / (System.nanoTime() - start);
    }

    private static double gigaflops(MultiplyAddRate peak) {
        int repeats = (int) Math.ceil(FLOP / peak.flop());
        long start = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            peak.run();
        }
        return peak.flop() * repeats / (System.nanoTime() - start);
    }
}
