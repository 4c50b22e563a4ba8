package io.github.rankine.models.chat;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.tokenizer.TokenizerConfig;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A chat template. */
public final class ChatTemplate {
    private static final String CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' +"
            + " message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
            + "{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private final String source;
    private final String template;
    private final Map<String, String> specialTokens;
    private final Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
            .withTrimBlocks(true)
            .withLstripBlocks(true)
            .withNestedInterpretationEnabled(false)
            .withLegacyOverrides(LegacyOverrides.ALL)
            .build());

    private ChatTemplate(String source, String template, Map<String, String> specialTokens) {
        this.source = source;
        this.template = template;
        this.specialTokens = specialTokens;
    }

    /** The model's own template, if it has one. */
    public static Optional<ChatTemplate> of(TokenizerConfig config) {
        return config.chatTemplate()
                .map(template -> new ChatTemplate(config.chatTemplateSource(), template, config.specialTokens()));
    }

    /** The template that a user names: {@code chatml}, or a file. */
    public static ChatTemplate named(String name, TokenizerConfig config) {
        return name.equals("chatml")
                ? new ChatTemplate("chatml", CHATML, config.specialTokens())
                : new ChatTemplate(name, Json.readText(Path.of(name)), config.specialTokens());
    }

    /** Renders. */
    public String render(List<Message> messages, boolean addGenerationPrompt) {
        Map<String, Object> variables = new HashMap<>(specialTokens);
        variables.put(
                "messages",
                messages.stream()
                        .map(m -> Map.of("role", m.role(), "content", m.content()))
                        .toList());
        variables.put("add_generation_prompt", addGenerationPrompt);
        RenderResult result = jinjava.renderForResult(template, variables);
        if (!result.getErrors().isEmpty()) {
            TemplateError error = result.getErrors().getFirst();
            throw new RankineException(source + ": line " + error.getLineno() + ": " + error.getMessage());
        }
        return result.getOutput();
    }
}
