package io.github.rankine.models.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.lora.LoraConfig;
import io.github.rankine.engine.lora.ModuleSelector;
import io.github.rankine.models.Fixtures;
import io.github.rankine.models.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class PeftConfigTest {
    static final List<String> CASES = Fixtures.CASES;

    @TempDir
    Path folder;

    private PeftConfig read(String json) throws IOException {
        return PeftConfig.read(Files.writeString(folder.resolve(PeftConfig.FILE), json));
    }

    private PeftConfig changed(String changes) throws IOException {
        ObjectNode config = PeftConfig.defaults().put("r", 4);
        config.putArray("target_modules").add("q_proj");
        config.setAll(Json.parseObject(changes, "changes").toNode());
        return read(Json.write(config));
    }

    @Test
    void takesPeftsDefaults() throws IOException {
        PeftConfig config = read("{\"peft_type\": \"LORA\", \"target_modules\": [\"q_proj\"]}");
        assertThat(config.lora()).isEqualTo(LoraConfig.of(8, 8, new ModuleSelector.Suffixes(List.of("q_proj"))));
        assertThat(config.baseModelNameOrPath()).isEmpty();
        assertThat(config.fanInFanOut()).isFalse();
    }

    @Test
    void readsEveryField() throws IOException {
        PeftConfig config = changed("""
            {"base_model_name_or_path": "org/base", "r": 16, "lora_alpha": 12.5, "lora_dropout": 0.05,
             "use_rslora": true, "fan_in_fan_out": true, "exclude_modules": ".*\\\\.0\\\\..*",
             "layers_to_transform": 1, "layers_pattern": "layers", "rank_pattern": {"b.*": 2, "a": 3},
             "alpha_pattern": {"x": 0.5}}\
            """);
        LoraConfig lora = config.lora();
        assertThat(config.baseModelNameOrPath()).contains("org/base");
        assertThat(config.fanInFanOut()).isTrue();
        assertThat(lora.rank()).isEqualTo(16);
        assertThat(lora.alpha()).isEqualTo(12.5);
        assertThat(lora.dropout()).isEqualTo(0.05);
        assertThat(lora.rslora()).isTrue();
        assertThat(lora.excludeModules()).isEqualTo(ModuleSelector.Expression.of(".*\\.0\\..*"));
        assertThat(lora.layersToTransform()).containsExactly(1);
        assertThat(lora.layersPattern()).containsExactly("layers");
        assertThat(lora.rankPattern()).containsExactly(Map.entry("b.*", 2), Map.entry("a", 3));
        assertThat(lora.alphaPattern()).containsExactly(Map.entry("x", 0.5));
        assertThat(changed("{\"target_modules\": \"all-linear\"}").lora().targetModules())
                .isEqualTo(new ModuleSelector.AllLinear());
        assertThat(changed("{\"target_modules\": \".*_proj\"}").lora().targetModules())
                .isEqualTo(ModuleSelector.Expression.of(".*_proj"));
    }

    @Test
    void readsBackWhatItWrites() throws IOException {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        ranks.put("z.*", 2);
        ranks.put("a", 3);
        LoraConfig lora = new LoraConfig(
                6,
                12.5,
                0.1,
                new ModuleSelector.Suffixes(List.of("k")),
                ModuleSelector.Expression.of(".*\"é_proj"),
                List.of(0, 2),
                List.of("layers"),
                ranks,
                Map.of("b", 1e-5),
                true);
        PeftConfig config = new PeftConfig(lora, Optional.of("a \"base\""), true, Optional.empty());
        config.write(folder.resolve(PeftConfig.FILE), List.of());
        assertThat(PeftConfig.read(folder.resolve(PeftConfig.FILE))).isEqualTo(config);
        assertThat(config.lora().rankPattern().keySet()).containsExactly("z.*", "a");
    }

    @Test
    void namesTheModulesThatAllLinearCameTo() throws IOException {
        PeftConfig config = new PeftConfig(
                LoraConfig.of(8, 16, new ModuleSelector.AllLinear()), Optional.empty(), false, Optional.empty());
        config.write(
                folder.resolve(PeftConfig.FILE),
                List.of(
                        "model.layers.0.self_attn.q_proj",
                        "model.layers.1.self_attn.q_proj",
                        "model.layers.0.mlp.up_proj"));
        assertThat(PeftConfig.read(folder.resolve(PeftConfig.FILE)).lora().targetModules())
                .isEqualTo(new ModuleSelector.Suffixes(List.of("q_proj", "up_proj")));
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void writesWhatPeftWrites(String name) throws IOException {
        Path original = Fixtures.folder(name).resolve("adapter").resolve(PeftConfig.FILE);
        Path copy = folder.resolve(PeftConfig.FILE);
        PeftConfig.read(original).write(copy, List.of());
        // Byte for byte: PEFT shuffles the target modules, and they are kept as they came.
        assertThat(copy).hasSameTextualContentAs(original);
    }

    @Test
    void knowsTheFieldsOfPeft() {
        List<String> names = List.copyOf(PeftConfig.defaults().properties().stream()
                .map(Map.Entry::getKey)
                .toList());
        assertThat(names).isSortedAccordingTo(Comparator.naturalOrder());
        ObjectNode fixture = Json.readObject(
                        Fixtures.folder("llama-dora").resolve("adapter").resolve(PeftConfig.FILE))
                .toNode();
        assertThat(new TreeSet<>(names))
                .isEqualTo(new TreeSet<>(
                        fixture.properties().stream().map(Map.Entry::getKey).toList()));
        assertThat(fixture.get("target_modules")).isInstanceOf(ArrayNode.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"peft_type\": \"IA3\"}                | peft_type: the string \"IA3\" found, expected LORA",
                "{\"peft_type\": null}                   | no field peft_type",
                "{\"task_type\": \"SEQ_CLS\"}            | task_type: the string \"SEQ_CLS\" found, expected CAUSAL_LM",
                "{\"bias\": \"some\"}                    | bias: the string \"some\" found, expected none, lora_only"
                        + " or",
                "{\"modules_to_save\": 3}                | modules_to_save: 3 found, expected",
                "{\"use_dora\": true, \"init_lora_weights\": \"pissa\"} | DoRA and PiSSA at once",
                "{\"lora_bias\": true}                   | lora_bias: not supported (a bias on B)",
                "{\"use_qalora\": true}                  | use_qalora: not supported (QALoRA)",
                "{\"trainable_token_indices\": [1]}      | trainable_token_indices: not supported (trainable tokens)",
                "{\"layer_replication\": [[0, 1]]}       | layer_replication: not supported (replicated layers)",
                "{\"alora_invocation_tokens\": [1]}      | alora_invocation_tokens: not supported (activated LoRA)",
                "{\"target_parameters\": [\"experts\"]}  | target_parameters: not supported (adapters",
                "{\"init_lora_weights\": \"pissa_niter_x\"} | init_lora_weights: the string \"pissa_niter_x\" found,"
                        + " expected PiSSA, or one that keeps",
                "{\"init_lora_weights\": \"corda\"}      | init_lora_weights: the string \"corda\" found",
                "{\"r\": 0}                              | r: 0 found, expected an integer from 1",
                "{\"r\": \"8\"}                          | r: the string \"8\" found",
                "{\"lora_alpha\": 0}                     | lora_alpha: 0 found, expected a number above 0",
                "{\"lora_dropout\": 1}                   | dropout 1.0: must be at least 0 and below 1",
                "{\"target_modules\": null}              | no field target_modules; expected a list of module names or"
                        + " an expression",
                "{\"target_modules\": []}                | target_modules: a list found, expected a list of module"
                        + " names",
                "{\"target_modules\": [1]}               | target_modules[0]: 1 found, expected a string",
                "{\"target_modules\": \"(q\"}            | target_modules: '(q' is not a regular expression",
                "{\"rank_pattern\": {\"(q\": 1}}         | rank_pattern '(q' is not a regular expression",
                "{\"rank_pattern\": {\"q\": 0}}          | rank_pattern.q: 0 found",
                "{\"alpha_pattern\": []}                 | alpha_pattern: a list found, expected an object",
                "{\"layers_pattern\": [\"[\"]}           | layers_pattern '[' is not a regular expression",
                "{\"layers_pattern\": [\"\\\\Qq\"]}      | layers_pattern '\\Qq' is not a regular expression",
                "{\"alpha_pattern\": {\"\\\\Qq\": 1}}   | alpha_pattern '\\Qq' is not a regular expression",
                "{\"layers_to_transform\": [-1]}         | layers_to_transform[0]: -1 found"
            })
    void refusesWhatItHasNotByName(String changes, String complaint) {
        assertThatThrownBy(() -> changed(changes))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve(PeftConfig.FILE) + ": " + complaint);
    }

    @Test
    void acceptsWhatOnlyShapedTheStartOfTraining() throws IOException {
        assertThat(changed("{\"init_lora_weights\": \"gaussian\", \"a_field_of_tomorrow\": 1}")
                        .lora()
                        .rank())
                .isEqualTo(4);
        assertThat(changed("{\"init_lora_weights\": false}").lora().rank()).isEqualTo(4);
    }
}
