package io.github.rankine.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.kernels.AdamWStep;
import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.kernels.AttentionSpans;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Forward passes against what PyTorch 2.13 gives for the same numbers in double precision. */
class PyTorchValuesTest {
    @Test
    void gelu() {
        double[] x = {-6, -5, -3, -1, -0.1, 0, 0.1, 1, 3, 5, 6};
        assertClose(
                Elementwise.gelu(x, false),
                -5.919525869479969e-09,
                -1.4332578593401202e-06,
                -0.00404969409489031,
                -0.15865525393145702,
                -0.0460172162722971,
                0.0,
                0.053982783727702904,
                0.841344746068543,
                2.99595030590511,
                4.999998566742141,
                5.999999994080474);
        assertClose(
                Elementwise.gelu(x, true),
                -8.43964897967453e-11,
                -2.2917961972623857e-07,
                -0.0036373920817729943,
                -0.15880800939172324,
                -0.04601724895456484,
                0.0,
                0.053982751045435165,
                0.8411919906082768,
                2.996362607918227,
                4.999999770820381,
                5.9999999999156035);
    }

    @Test
    void swiglu() {
        double[] gate = Elementwise.scale(wave(6, 1.3), 3);
        assertClose(
                Elementwise.swiglu(gate, wave(6, 0.7)),
                1.966678810584826,
                2.0044605890165146,
                -0.1879191137597491,
                -0.00611068539716889,
                0.06680287654011241,
                -2.595152265953502);
    }

    @Test
    void norms() {
        double[] x = wave(6, 1.3);
        double[] weight = wave(3, 0.7);
        assertClose(
                Norms.rmsNorm(x, weight, 2, 0.01).y(),
                1.0047304619873831,
                1.0493089081435645,
                -0.4241371347460032,
                -1.0437730561517147,
                -0.10403174050600418,
                0.7999444557811881);
        assertClose(
                Norms.layerNorm(x, weight, wave(3, 0.4), 2, 0.01).y(),
                1.4946314674823988,
                1.5949143322858292,
                0.03441342257056394,
                -0.15857622963974036,
                0.9345741376444388,
                1.8112561009689587);
    }

    /** Transformers' {@code apply_rotary_pos_emb} at position 3, base 10000. */
    @Test
    void rotary() {
        double[] x = wave(8, 1.3);
        double[] table = new double[4 * 4];
        for (int i = 0; i < 2; i++) {
            double angle = 3 * Math.pow(10_000, -i / 2.0);
            table[12 + i] = Math.cos(angle);
            table[14 + i] = Math.sin(angle);
        }
        Rotary.rotate(x, 8, new int[] {3}, table, 4, false);
        assertClose(
                x,
                -0.7706014725423793,
                0.7748388275389522,
                0.5568403106124415,
                -0.9596427412625836,
                -0.00028563363890697635,
                0.9563272152171803,
                -0.5907892092907341,
                -0.5966536097030942);
    }

    /** The last of three causal queries, four heads over two key heads. */
    @Test
    void attention() {
        AttentionShape shape = new AttentionShape(4, 2, 3, 0.5f, 0);
        AttentionSpans spans = AttentionSpans.ofSequences(new int[] {0, 3});
        var output = new Attention(wave(36, 1.3), wave(18, 0.7), wave(18, 0.4), spans, shape).forward();
        assertClose(
                Arrays.copyOfRange(output.out(), 24, 36),
                0.3122414366452696,
                0.4282364588767598,
                0.4766223603173386,
                -0.05298432118481266,
                -0.13838527866682904,
                -0.20193824346365888,
                0.3489497941135934,
                0.24051022595128446,
                0.09409938145150375,
                -0.22518694777117584,
                -0.1860006557421551,
                -0.11744894995493982);
        assertClose(
                Arrays.copyOfRange(output.logSumExp(), 8, 12),
                1.2164520180131606,
                1.2071949930410129,
                1.2063367684305488,
                1.2212950846178026);
    }

    @Test
    void crossEntropy() {
        double[] logits = Elementwise.scale(wave(10, 1.3), 10);
        assertClose(CrossEntropy.losses(logits, new int[] {4, 1}), 9.570502233821923, 3.559998877409896);
    }

    /** {@code torch.optim.AdamW} with a weight decay of 0.1 over three steps, the gradient halved by clipping. */
    @Test
    void adamW() {
        double[] parameter = {0.5, -1.5, 2.0};
        double[] first = new double[3];
        double[] second = new double[3];
        for (int s = 0; s < 3; s++) {
            double[] gradient = {0.1 * (s + 1), -0.3, 0.002 * (s - 1)};
            AdamW.step(parameter, gradient, first, second, new AdamWStep(s + 1, 0.01, 0.9, 0.99, 1e-3, 0.1, 0.5));
        }
        assertClose(parameter, 0.4697402304673712, -1.4657329653874174, 2.0013849325182527);
        assertClose(first, 0.02805, -0.04065, 1.9e-05);
        assertClose(second, 0.0003485025, 0.0006682725, 1.9801e-08);
    }

    /** {@code sin(1 + frequency · i)}. */
    private static double[] wave(int count, double frequency) {
        return IntStream.range(0, count)
                .mapToDouble(i -> Math.sin(1 + frequency * i))
                .toArray();
    }

    private static void assertClose(double[] actual, double... expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], within(1e-9 * Math.abs(expected[i]) + 1e-18));
        }
    }
}
