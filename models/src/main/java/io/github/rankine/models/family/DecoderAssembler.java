package io.github.rankine.models.family;

import io.github.rankine.engine.kernels.AttentionShape;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.nn.DecoderBlock;
import io.github.rankine.engine.nn.Linear;
import io.github.rankine.engine.nn.Mlp;
import io.github.rankine.engine.nn.Norm;
import io.github.rankine.engine.nn.RotaryTable;
import io.github.rankine.engine.nn.SelfAttention;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.tensor.QuantizedWeight;
import io.github.rankine.models.config.Activation;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.config.Rope;
import io.github.rankine.models.family.WeightSource.Role;
import java.util.ArrayList;
import java.util.List;

/** Builds a decoder, tensor by tensor, under the names that Transformers gives them. */
final class DecoderAssembler {
    private final ModelConfig config;
    private final WeightSource source;
    private int linears;

    DecoderAssembler(ModelConfig config, WeightSource source) {
        this.config = config;
        this.source = source;
    }

    /** What stands before the names of everything but the head. */
    static String prefix(ModelConfig config) {
        return switch (config.family()) {
            case LLAMA, MISTRAL, QWEN2 -> "model.";
            case GPT2 -> "transformer.";
        };
    }

    /** The name of the input embedding. */
    static String embedding(ModelConfig config) {
        return prefix(config)
                + switch (config.family()) {
                    case LLAMA, MISTRAL, QWEN2 -> "embed_tokens.weight";
                    case GPT2 -> "wte.weight";
                };
    }

    Decoder assemble() {
        return switch (config.family()) {
            case LLAMA, MISTRAL, QWEN2 -> llama();
            case GPT2 -> gpt2();
        };
    }

    /** Llama (Touvron et al. 2023) and what descends from it. */
    private Decoder llama() {
        RotaryTable rotary = new RotaryTable(frequencies(config.rope().orElseThrow(), config.headDim()));
        Parameter embedding = matrix(embedding(config), config.vocabSize(), config.hiddenSize(), Role.EMBEDDING);
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        List<DecoderBlock> blocks = new ArrayList<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            String block = "model.layers." + layer + ".";
            String attention = block + "self_attn.";
            SelfAttention selfAttention = new SelfAttention.Separate(
                    linear(attention + "q_proj", hidden, queries, config.qkvBias()),
                    linear(attention + "k_proj", hidden, keys, config.qkvBias()),
                    linear(attention + "v_proj", hidden, keys, config.qkvBias()),
                    linear(attention + "o_proj", queries, hidden, config.outputBias()),
                    attentionShape(layer),
                    rotary);
            Mlp mlp = new Mlp.Gated(
                    linear(block + "mlp.gate_proj", hidden, config.intermediateSize(), config.mlpBias()),
                    linear(block + "mlp.up_proj", hidden, config.intermediateSize(), config.mlpBias()),
                    linear(block + "mlp.down_proj", config.intermediateSize(), hidden, config.mlpBias()));
            blocks.add(new DecoderBlock(
                    rmsNorm(block + "input_layernorm"),
                    selfAttention,
                    rmsNorm(block + "post_attention_layernorm"),
                    mlp));
        }
        return new Decoder(
                embedding, null, blocks, rmsNorm("model.norm"), head(embedding), rotary, config.maxPositions());
    }

    /** GPT-2 (Radford et al. 2019). */
    private Decoder gpt2() {
        int hidden = config.hiddenSize();
        Parameter embedding = matrix(embedding(config), config.vocabSize(), hidden, Role.EMBEDDING);
        Parameter positions = matrix("transformer.wpe.weight", config.maxPositions(), hidden, Role.EMBEDDING);
        List<DecoderBlock> blocks = new ArrayList<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            String block = "transformer.h." + layer + ".";
            SelfAttention attention = new SelfAttention.Fused(
                    conv1d(block + "attn.c_attn", hidden, 3 * hidden),
                    conv1d(block + "attn.c_proj", hidden, hidden),
                    attentionShape(layer));
            Mlp mlp = new Mlp.Plain(
                    conv1d(block + "mlp.c_fc", hidden, config.intermediateSize()),
                    conv1d(block + "mlp.c_proj", config.intermediateSize(), hidden),
                    config.activation() == Activation.GELU_TANH);
            blocks.add(new DecoderBlock(layerNorm(block + "ln_1"), attention, layerNorm(block + "ln_2"), mlp));
        }
        return new Decoder(
                embedding,
                positions,
                blocks,
                layerNorm("transformer.ln_f"),
                head(embedding),
                null,
                config.maxPositions());
    }

    private AttentionShape attentionShape(int layer) {
        return new AttentionShape(
                config.heads(),
                config.kvHeads(),
                config.headDim(),
                (float) (1 / Math.sqrt(config.headDim())),
                config.slidingWindows().get(layer));
    }

    private static float[] frequencies(Rope rope, int headDim) {
        float[] plain = RotaryTable.frequencies(headDim, rope.theta());
        return switch (rope.type()) {
            case DEFAULT -> plain;
            case LINEAR -> RotaryTable.linear(plain, rope.factor());
            case LLAMA3 ->
                RotaryTable.llama3(
                        plain,
                        rope.factor(),
                        rope.lowFreqFactor(),
                        rope.highFreqFactor(),
                        rope.originalMaxPositionEmbeddings());
        };
    }

    private Linear linear(String name, long inputs, long outputs, boolean bias) {
        Parameter weight = matrix(name + ".weight", outputs, inputs, Role.LINEAR);
        return new Linear(name, linears++, weight, bias ? bias(name + ".bias", outputs) : null, false, false);
    }

    /** GPT-2's linear layer, whose weight is stored {@code [in, out]}. */
    private Linear conv1d(String name, long inputs, long outputs) {
        Parameter weight = matrix(name + ".weight", inputs, outputs, Role.CONV1D);
        boolean transposed = !(weight.value() instanceof QuantizedWeight);
        return new Linear(name, linears++, weight, bias(name + ".bias", outputs), transposed, false);
    }

    private Linear head(Parameter embedding) {
        Parameter weight = config.tieWordEmbeddings()
                ? embedding
                : matrix(CausalLanguageModel.HEAD + ".weight", config.vocabSize(), config.hiddenSize(), Role.EMBEDDING);
        return new Linear(CausalLanguageModel.HEAD, linears++, weight, null, false, true);
    }

    private Norm rmsNorm(String name) {
        return new Norm.Rms(gain(name + ".weight"), (float) config.normEps());
    }

    private Norm layerNorm(String name) {
        return new Norm.Layer(
                gain(name + ".weight"), bias(name + ".bias", config.hiddenSize()), (float) config.normEps());
    }

    private Parameter matrix(String name, long rows, long cols, Role role) {
        return new Parameter(name, source.weight(name, rows, cols, role));
    }

    private Parameter gain(String name) {
        return new Parameter(name, source.weight(name, 1, config.hiddenSize(), Role.GAIN));
    }

    private Parameter bias(String name, long length) {
        return new Parameter(name, source.weight(name, 1, length, Role.BIAS));
    }
}
