package io.github.rankine.engine.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.BlockScales;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.engine.tensor.Tensor;
import io.github.rankine.engine.tensor.Weight;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** NF4 beside what {@code nf4.py}, an implementation in NumPy, made of the same values; INT8 beside its definition. */
class QuantizationTest {
    private static final int MILLION = 1_000_000;
    private static final Properties EXPECTED = expected();

    private static Properties expected() {
        Properties properties = new Properties();
        try (InputStream in = QuantizationTest.class.getResourceAsStream("nf4.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties;
    }

    /** SplitMix64's upper 24 bits, from 0 to 1. */
    private static double uniform(long index) {
        long z = (index + 1) * 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return ((z ^ (z >>> 31)) >>> 40) / (double) (1 << 24);
    }

    private static double bell(int i) {
        double sum = 0;
        for (int k = 0; k < 4; k++) {
            sum += uniform(i + (long) k * MILLION);
        }
        return sum - 2;
    }

    private static float[] values(int count, IntToDoubleFunction value) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) value.applyAsDouble(i);
        }
        return values;
    }

    private static float[] ties() {
        float[] midpoints = Nf4.midpoints(QuantizedType.nf4Values());
        float[] values = new float[256];
        float[] factors = {1, -1, 0.3f, 8};
        for (int block = 0; block < 4; block++) {
            values[64 * block] = factors[block];
            for (int i = 0; i < 15; i++) {
                values[64 * block + 1 + i] = midpoints[i] * factors[block];
                values[64 * block + 16 + i] = Math.nextUp(midpoints[i]) * factors[block];
                values[64 * block + 31 + i] = Math.nextDown(midpoints[i]) * factors[block];
            }
        }
        for (int i = 46; i < 64; i++) {
            values[64 + i] = -0.0f;
        }
        return values;
    }

    private static final Map<String, float[]> CASES = cases();

    private static Map<String, float[]> cases() {
        Map<String, float[]> cases = new LinkedHashMap<>();
        cases.put("million", values(MILLION, i -> bell(i) * (0.02 + 0.1 * Math.pow(uniform(i + 9L * MILLION), 8))));
        cases.put("ties", ties());
        cases.put("zeros", new float[640]);
        cases.put("zeros_among_others", values(257, i -> i < 64 || i >= 192 ? 0 : bell(i - 64)));
        cases.put("denormals", values(300, i -> bell(i) * 1e-40));
        cases.put("smallest", values(200, i -> bell(i) > 0 ? Float.MIN_VALUE : 0));
        cases.put("one_value_blocks", values(20 * 64, i -> bell(i / 64)));
        cases.put("one_element", new float[] {-0.7f});
        cases.put("odd_length", values(193, QuantizationTest::bell));
        cases.put("huge", values(500, i -> bell(i) * 1e38));
        return cases;
    }

    static Stream<String> caseNames() {
        return CASES.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("caseNames")
    void nf4IsTheIndependentImplementationBitForBit(String name) {
        try (Arena arena = Arena.ofShared()) {
            float[] values = CASES.get(name);
            Tensor tensor = Tensor.copyOf(arena, 1, values.length, values);
            assertThat(EXPECTED.getProperty(name + ".elements")).isEqualTo(String.valueOf(values.length));
            assertThat(sha(tensor.segment().asSlice(0, tensor.bytes())))
                    .as("the script's input")
                    .isEqualTo(EXPECTED.getProperty(name + ".input"));
            QuantizedWeight weight = Quantization.quantize(name, tensor.asWeight(), QuantizedType.NF4, arena);
            BlockScales.Nested scales = (BlockScales.Nested) weight.scales();
            assertThat(sha(weight.codes().asSlice(0, QuantizedType.NF4.bytes(values.length))))
                    .as("codes")
                    .isEqualTo(EXPECTED.getProperty(name + ".codes"));
            assertThat(sha(scales.nested().data().asSlice(0, scales.nested().bytes())))
                    .as("nested scales")
                    .isEqualTo(EXPECTED.getProperty(name + ".nested"));
            assertThat(sha(Tensor.copyOf(arena, 1, 1, scales.offset()).segment()))
                    .as("offset")
                    .isEqualTo(EXPECTED.getProperty(name + ".offset"));
            assertThat(sha(scales.codes().asSlice(0, scales.blocks())))
                    .as("codes of the scales")
                    .isEqualTo(EXPECTED.getProperty(name + ".scale_codes"));
            Tensor restored = weight.toTensor(arena);
            assertThat(sha(restored.segment().asSlice(0, restored.bytes())))
                    .as("values")
                    .isEqualTo(EXPECTED.getProperty(name + ".values"));
        }
    }

    private static String sha(MemorySegment bytes) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256")
                            .digest(bytes.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void int8RoundsToTheNearestMultipleOfItsBlocksScale() {
        try (Arena arena = Arena.ofShared()) {
            float[] values = values(1000, QuantizationTest::bell);
            Arrays.fill(values, 64, 96, 0);
            values[7] = 100; // an outlier, which its own block alone pays for
            Weight weight = Tensor.copyOf(arena, 1, values.length, values).asWeight();
            QuantizedWeight quantized = Quantization.quantize("w", weight, QuantizedType.INT8, arena);
            assertThat(quantized.blockSize()).isEqualTo(32);
            for (int first = 0; first < values.length; first += 32) {
                float largest = 0;
                for (int i = first; i < Math.min(values.length, first + 32); i++) {
                    largest = Math.max(largest, Math.abs(values[i]));
                }
                for (int i = first; i < Math.min(values.length, first + 32); i++) {
                    assertThat(quantized.at(i)).isCloseTo(values[i], within(largest / 127 * 0.50001f));
                }
            }
            assertThat(quantized.at(7)).isEqualTo(100);
        }
    }

    @ParameterizedTest
    @EnumSource(QuantizedType.class)
    void whatIsNotFiniteIsRefusedByName(QuantizedType type) {
        try (Arena arena = Arena.ofShared()) {
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                float[] values = values(300, QuantizationTest::bell);
                values[200] = bad;
                Weight weight = Tensor.copyOf(arena, 3, 100, values).asWeight();
                assertThatThrownBy(() -> Quantization.quantize("model.q.weight", weight, type, arena))
                        .isInstanceOf(RankineException.class)
                        .hasMessageContaining("'model.q.weight'")
                        .hasMessageContaining("finite");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(QuantizedType.class)
    void aPlannedWeightTakesTheBytesOfARealOne(QuantizedType type) {
        try (Arena arena = Arena.ofShared()) {
            Weight weight = Tensor.allocate(arena, 37, 129).asWeight();
            assertThat(Quantization.planned(type, 37, 129).bytes())
                    .isEqualTo(Quantization.quantize("w", weight, type, arena).bytes());
        }
    }

    @Test
    void nf4TakesLittleMoreThanAQuarterOfBf16() {
        assertThat(Quantization.planned(QuantizedType.NF4, 1536, 576).bytes() / (2.0 * 1536 * 576))
                .isLessThan(0.27);
    }
}
