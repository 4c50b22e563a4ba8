package io.github.rankine.models.quantized;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.BlockScales;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.QuantizedType;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.SafetensorsWriter.Content;
import io.github.rankine.models.safetensors.SafetensorsWriter.Entry;
import io.github.rankine.models.safetensors.StoredType;
import io.github.rankine.models.safetensors.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The layout in which bitsandbytes stores an NF4 weight: under the weight's own name the codes, two to a byte; beside it the scales
 * ({@code .absmax}), the codes' values ({@code .quant_map}), with double quantisation those of the scales too ({@code .nested_absmax},
 * {@code .nested_quant_map}), and what a loader must know as JSON ({@code .quant_state.bitsandbytes__nf4}). The weight is
 * {@code [out, in]} for GPT-2's Conv1D too.
 *
 * @see <a href="https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/functional.py">QuantState.as_dict</a>
 */
public final class BitsAndBytes {
    private static final String STATE = ".quant_state.bitsandbytes__";
    private static final String NF4 = "nf4";
    private static final String ABSMAX = ".absmax";
    private static final String QUANT_MAP = ".quant_map";
    private static final String NESTED_ABSMAX = ".nested_absmax";
    private static final String NESTED_QUANT_MAP = ".nested_quant_map";

    private BitsAndBytes() {}

    /** Whether that tensor of the checkpoint is the codes of a quantised weight. */
    public static boolean isQuantized(Checkpoint checkpoint, String name) {
        return checkpoint.has(name + QUANT_MAP) || checkpoint.has(name + STATE + NF4);
    }

    /** Whether that tensor only belongs to a quantised weight. */
    public static boolean isCompanion(Checkpoint checkpoint, String name) {
        int weight = name.lastIndexOf(".weight.");
        return weight >= 0 && isQuantized(checkpoint, name.substring(0, weight + ".weight".length()));
    }

    /**
     * A quantised weight over the checkpoint's mapping.
     *
     * @throws RankineException when it is quantised in another way, or its tensors do not fit one another or the shape
     */
    public static QuantizedWeight read(Checkpoint checkpoint, String name, long outputs, long inputs) {
        JsonObject state = state(checkpoint, name);
        if (!state.string("quant_type").equals(NF4)) {
            throw state.unexpected("quant_type", NF4 + ", the one that Rankine reads");
        }
        List<Integer> shape = state.integers("shape", 0, Integer.MAX_VALUE);
        if (!shape.equals(List.of((int) outputs, (int) inputs))) {
            throw state.error(
                    "shape",
                    shape + ", expected [" + outputs + ", " + inputs + "] by config.json; do they belong"
                            + " together?");
        }
        int blockSize = blockSize(state, "blocksize");
        long elements = outputs * inputs;
        requireBytes(checkpoint, name, QuantizedType.NF4.bytes(elements), "two codes to a byte");
        if (!Arrays.equals(floats(checkpoint, name + QUANT_MAP, 16), QuantizedType.nf4Values())) {
            throw new RankineException(file(checkpoint, name) + ": tensor '" + name + QUANT_MAP
                    + "': not the values of NF4; quantise the original checkpoint again");
        }
        long blocks = QuantizedWeight.blocks(elements, blockSize);
        BlockScales scales = state.has("nested_blocksize")
                ? nested(checkpoint, name, state, blocks)
                : plain(checkpoint, name + ABSMAX, blocks);
        return new QuantizedWeight(QuantizedType.NF4, outputs, inputs, checkpoint.bytes(name), scales, blockSize);
    }

    private static JsonObject state(Checkpoint checkpoint, String name) {
        String key = name + STATE + NF4;
        if (!checkpoint.has(key)) {
            String found = checkpoint.tensors().stream()
                    .map(TensorInfo::name)
                    .filter(other -> other.startsWith(name + ".quant_state."))
                    .findFirst()
                    .map(other -> "unknown quantisation state '" + other.substring(name.length() + 1) + "'")
                    .orElse("no quantisation state");
            throw new RankineException(file(checkpoint, name) + ": tensor '" + name + "': " + found + ", expected '"
                    + key.substring(name.length() + 1)
                    + "'; quantise the original checkpoint with: rankine quantize --type nf4");
        }
        String json = new String(checkpoint.bytes(key).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        return Json.parseObject(json, file(checkpoint, key) + ": tensor '" + key + "'");
    }

    private static int blockSize(JsonObject state, String field) {
        int size = state.integer(field, 2, 1 << 20);
        if (Integer.bitCount(size) != 1) {
            throw state.unexpected(field, "a power of two");
        }
        return size;
    }

    private static BlockScales nested(Checkpoint checkpoint, String name, JsonObject state, long blocks) {
        requireBytes(checkpoint, name + ABSMAX, blocks, "a byte for each of " + blocks + " blocks");
        int blockSize = blockSize(state, "nested_blocksize");
        long nestedBlocks = QuantizedWeight.blocks(blocks, blockSize);
        return new BlockScales.Nested(
                checkpoint.bytes(name + ABSMAX),
                floats(checkpoint, name + NESTED_QUANT_MAP, 256),
                plain(checkpoint, name + NESTED_ABSMAX, nestedBlocks),
                blockSize,
                (float) state.number("nested_offset", -Float.MAX_VALUE, Float.MAX_VALUE),
                blocks);
    }

    private static BlockScales.Plain plain(Checkpoint checkpoint, String name, long blocks) {
        requireBytes(checkpoint, name, 4 * blocks, "a float32 for each of " + blocks + " blocks");
        return new BlockScales.Plain(checkpoint.bytes(name), blocks);
    }

    private static float[] floats(Checkpoint checkpoint, String name, int count) {
        requireBytes(checkpoint, name, 4L * count, count + " float32 values");
        return checkpoint.bytes(name).toArray(BlockScales.FLOAT);
    }

    private static void requireBytes(Checkpoint checkpoint, String name, long bytes, String what) {
        TensorInfo info = checkpoint.info(name);
        if (info.bytes() != bytes) {
            throw new RankineException(file(checkpoint, name) + ": tensor '" + name + "': " + info.type() + " "
                    + info.shape() + " are " + info.bytes() + " bytes, expected " + bytes + ", " + what
                    + "; quantise the original checkpoint again");
        }
    }

    private static String file(Checkpoint checkpoint, String name) {
        return checkpoint.files().stream()
                .filter(file -> file.has(name))
                .findFirst()
                .map(file -> file.path().toString())
                .orElse(checkpoint.folder().toString());
    }

    /**
     * The tensors that an NF4 weight is stored as.
     *
     * @param name   the weight's
     * @param weight whose scales are stored, with or without codes
     * @param codes  the codes, which may be made only when they are asked for
     * @param origin the type that it had before
     */
    public static List<Entry> entries(String name, QuantizedWeight weight, Content codes, DType origin) {
        if (weight.type() != QuantizedType.NF4 || !(weight.scales() instanceof BlockScales.Nested scales)) {
            throw new IllegalArgumentException(name + ": only NF4 with double quantisation has this layout");
        }
        List<Entry> entries = new ArrayList<>();
        List<Long> shape = List.of(QuantizedType.NF4.bytes(weight.size()), 1L);
        entries.add(new Entry(name, StoredType.U8, shape, codes));
        entries.add(entry(name + ABSMAX, StoredType.U8, scales.codes().asSlice(0, scales.blocks()), scales.blocks()));
        entries.add(floats(name + QUANT_MAP, QuantizedType.nf4Values()));
        BlockScales.Plain nested = scales.nested();
        entries.add(
                entry(name + NESTED_ABSMAX, StoredType.F32, nested.data().asSlice(0, nested.bytes()), nested.blocks()));
        entries.add(floats(name + NESTED_QUANT_MAP, scales.values()));
        byte[] state = state(weight, scales, origin).getBytes(StandardCharsets.UTF_8);
        entries.add(entry(name + STATE + NF4, StoredType.U8, MemorySegment.ofArray(state), state.length));
        return entries;
    }

    private static String state(QuantizedWeight weight, BlockScales.Nested scales, DType origin) {
        ObjectNode state = Json.mapper().createObjectNode();
        state.put("quant_type", NF4);
        state.put("blocksize", weight.blockSize());
        state.put("dtype", ModelConfig.typeName(origin));
        state.putArray("shape").add(weight.rows()).add(weight.cols());
        state.put("nested_blocksize", scales.blockSize());
        state.put("nested_dtype", ModelConfig.typeName(DType.F32));
        state.put("nested_offset", (double) scales.offset());
        return state.toString();
    }

    private static Entry floats(String name, float[] values) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[4 * values.length]);
        for (int i = 0; i < values.length; i++) {
            bytes.set(BlockScales.FLOAT, 4L * i, values[i]);
        }
        return entry(name, StoredType.F32, bytes, values.length);
    }

    private static Entry entry(String name, StoredType type, MemorySegment bytes, long length) {
        return new Entry(name, type, List.of(length), Content.of(bytes));
    }

    /** What config.json says of a checkpoint whose linear layers are NF4 weights of this layout. */
    public static ObjectNode config(DType compute) {
        ObjectNode config = Json.mapper().createObjectNode();
        config.put("quant_method", "bitsandbytes");
        config.put("load_in_4bit", true);
        config.put("load_in_8bit", false);
        config.put("bnb_4bit_quant_type", NF4);
        config.put("bnb_4bit_use_double_quant", true);
        config.put("bnb_4bit_compute_dtype", ModelConfig.typeName(compute));
        config.put("bnb_4bit_quant_storage", "uint8");
        return config;
    }
}
