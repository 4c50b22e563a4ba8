package io.github.rankine.engine.nn;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A decoder small enough to train in a test: two Llama blocks with grouped queries. */
public final class TinyDecoder {
    public static final int VOCABULARY = 37;
    public static final int MAX_POSITIONS = 40;
    private static final int HIDDEN = 16;
    private static final int HEAD_DIM = 8;
    private static final int MLP = 24;

    private final Arena arena;
    private final Random random;
    private int linears;

    private TinyDecoder(Arena arena, long seed) {
        this.arena = arena;
        this.random = new Random(seed);
    }

    /** Random weights; the head is tied to the embedding. */
    public static Decoder create(Arena arena, long seed) {
        return new TinyDecoder(arena, seed).build();
    }

    private Decoder build() {
        Parameter embedding = parameter("embed_tokens.weight", VOCABULARY, HIDDEN, 0);
        RotaryTable rotary = new RotaryTable(RotaryTable.frequencies(HEAD_DIM, 10000));
        AttentionShape shape = new AttentionShape(4, 2, HEAD_DIM, (float) (1 / Math.sqrt(HEAD_DIM)), 0);
        List<DecoderBlock> blocks = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            String block = "layers." + i + ".";
            blocks.add(new DecoderBlock(
                    norm(block + "input_layernorm"),
                    new SelfAttention.Separate(
                            linear(block + "self_attn.q_proj", HIDDEN, 4 * HEAD_DIM),
                            linear(block + "self_attn.k_proj", HIDDEN, 2 * HEAD_DIM),
                            linear(block + "self_attn.v_proj", HIDDEN, 2 * HEAD_DIM),
                            linear(block + "self_attn.o_proj", 4 * HEAD_DIM, HIDDEN),
                            shape,
                            rotary),
                    norm(block + "post_attention_layernorm"),
                    new Mlp.Gated(
                            linear(block + "mlp.gate_proj", HIDDEN, MLP),
                            linear(block + "mlp.up_proj", HIDDEN, MLP),
                            linear(block + "mlp.down_proj", MLP, HIDDEN))));
        }
        Linear head = new Linear("lm_head", linears, embedding, null, false, true);
        return new Decoder(embedding, null, blocks, norm("norm"), head, rotary, MAX_POSITIONS);
    }

    private Linear linear(String name, int inputs, int outputs) {
        return new Linear(name, linears++, parameter(name + ".weight", outputs, inputs, 0), null, false, false);
    }

    private Norm norm(String name) {
        return new Norm.Rms(parameter(name + ".weight", 1, HIDDEN, 1), 1e-5f);
    }

    private Parameter parameter(String name, int rows, int cols, float mean) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = mean + 0.3f * (float) random.nextGaussian();
        }
        return new Parameter(name, Tensor.copyOf(arena, rows, cols, values).asWeight());
    }
}
