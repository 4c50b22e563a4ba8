package io.github.rankine.models.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What stands beside tokenizer.json: the names of the special tokens and the chat template. From tokenizer_config.json;
 * tokens that it does not name from special_tokens_map.json; a template in a file of its own, chat_template.jinja or
 * chat_template.json, comes before one in tokenizer_config.json, as in Transformers.
 *
 * @param specialTokens  the special tokens by role: {@code bos_token}, {@code eos_token}, {@code unk_token},
 *                       {@code pad_token} and others, as far as named
 * @param addBosToken    whether the bos token begins a text, where tokenizer.json does not say
 * @param addEosToken    whether the eos token ends a text, where tokenizer.json does not say
 * @param chatTemplate   the Jinja source of the default template, if any
 * @param chatTemplateSource  the file that it is from
 */
public record TokenizerConfig(
        Map<String, String> specialTokens,
        boolean addBosToken,
        boolean addEosToken,
        Optional<String> chatTemplate,
        String chatTemplateSource) {

    /** Reads what there is; a folder may hold none of these files. */
    static TokenizerConfig read(Path folder) {
        Optional<JsonObject> config = readIfThere(folder.resolve("tokenizer_config.json"));
        Map<String, String> tokens = new LinkedHashMap<>();
        readIfThere(folder.resolve("special_tokens_map.json")).ifPresent(map -> readTokens(map, tokens));
        config.ifPresent(c -> readTokens(c, tokens));

        Path jinja = folder.resolve("chat_template.jinja");
        Path json = folder.resolve("chat_template.json");
        Optional<String> template = Optional.empty();
        Path source = folder.resolve("tokenizer_config.json");
        if (Files.isRegularFile(jinja)) {
            template = Optional.of(Json.readText(jinja));
            source = jinja;
        } else if (Files.isRegularFile(json)) {
            template = template(Json.readObject(json));
            source = json;
        } else if (config.isPresent()) {
            template = template(config.get());
        }
        return new TokenizerConfig(
                Map.copyOf(tokens),
                config.map(c -> c.flag("add_bos_token", false)).orElse(false),
                config.map(c -> c.flag("add_eos_token", false)).orElse(false),
                template,
                source.toString());
    }

    /** The special token of a role such as {@code eos_token}. */
    public Optional<String> specialToken(String role) {
        return Optional.ofNullable(specialTokens.get(role));
    }

    private static Optional<JsonObject> readIfThere(Path file) {
        return Files.exists(file) ? Optional.of(Json.readObject(file)) : Optional.empty();
    }

    /** A token is a string, or an object with its {@code content}. */
    private static void readTokens(JsonObject object, Map<String, String> tokens) {
        for (String name : object.names()) {
            if (name.endsWith("_token") && object.has(name)) {
                JsonNode value = object.get(name);
                if (value.isTextual()) {
                    tokens.put(name, value.textValue());
                } else if (value.isObject()) {
                    tokens.put(name, object.object(name).orElseThrow().string("content"));
                } else if (!value.isBoolean()) { // add_bos_token and the like are no tokens
                    throw object.unexpected(name, "a token");
                }
            }
        }
    }

    /** A string, or a list of named templates of which "default" is for plain conversation. */
    private static Optional<String> template(JsonObject object) {
        JsonNode value = object.get("chat_template");
        if (value == null) {
            return Optional.empty();
        }
        if (value.isTextual()) {
            return Optional.of(value.textValue());
        }
        if (!value.isArray()) {
            throw object.unexpected("chat_template", "a template or a list of named templates");
        }
        for (JsonNode named : value) {
            JsonNode template = named.path("template");
            if (!template.isTextual() || !named.path("name").isTextual()) {
                throw object.error("chat_template", "expected objects with a name and a template");
            }
            if (named.path("name").textValue().equals("default")) {
                return Optional.of(template.textValue());
            }
        }
        throw object.error("chat_template", "no template is named default; give one with --chat-template FILE");
    }
}
