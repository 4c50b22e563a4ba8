package io.github.rankine.models.chat;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.interpret.TemplateError.ErrorReason;
import com.hubspot.jinjava.interpret.TemplateError.ErrorType;
import com.hubspot.jinjava.tree.Node;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.tokenizer.TokenizerConfig;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import jinjava.javax.el.CompositeELResolver;

/**
 * A chat template: a Jinja2 template over a conversation, rendered as Transformers' {@code apply_chat_template} does. The
 * tokenizer's special tokens are its variables ({@code bos_token} and others).
 *
 * <p>Rendered by Jinjava, with what chat templates use of Python; true, false and none are printed the way it does.
 *
 * <p>Not to be used by several threads at a time.
 */
public final class ChatTemplate {
    /** OpenAI's layout, that of Qwen and many others, without a system prompt of its own. */
    private static final String CHATML = """
        {% for message in messages %}
        {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
        {%- endfor %}
        {% if add_generation_prompt %}
        {{ '<|im_start|>assistant\\n' }}
        {%- endif %}
        """;

    /** Characters of a rendered conversation. */
    private static final long MAX_OUTPUT = 256L << 20;

    private final String source;
    private final JinjaSource.Rewritten template;
    private final Map<String, String> specialTokens;
    private final Jinjava jinjava;
    private final Node parsed;

    private ChatTemplate(String source, String template, Map<String, String> specialTokens) {
        this.source = source;
        this.specialTokens = specialTokens;
        this.jinjava = jinjava();
        try {
            this.template = JinjaSource.rewrite(template);
        } catch (IllegalArgumentException e) {
            throw new RankineException(source + ": chat template, " + e.getMessage(), e);
        }
        this.template.filters().forEach((filter, line) -> {
            // Jinjava would leave it out.
            if (jinjava.getGlobalContext().getFilter(filter) == null) {
                throw new RankineException(
                        source + ": chat template, line " + line + ": the filter '" + filter + "' is not supported");
            }
        });
        JinjavaInterpreter interpreter = jinjava.newInterpreter();
        this.parsed = run(interpreter, () -> interpreter.parse(this.template.text()));
    }

    /** The model's own template, if it has one. */
    public static Optional<ChatTemplate> of(TokenizerConfig config) {
        return config.chatTemplate()
                .map(template -> new ChatTemplate(config.chatTemplateSource(), template, config.specialTokens()));
    }

    /**
     * The template that a user names.
     *
     * @param name   {@code chatml}, or a file with a Jinja template
     * @param config the tokenizer's, for its special tokens
     */
    public static ChatTemplate named(String name, TokenizerConfig config) {
        return name.equals("chatml")
                ? new ChatTemplate("chatml", CHATML, config.specialTokens())
                : new ChatTemplate(name, Json.readText(Path.of(name)), config.specialTokens());
    }

    /**
     * Renders a conversation.
     *
     * @param addGenerationPrompt whether the text ends with what precedes an answer of the assistant
     * @throws RankineException when the template fails or refuses the conversation; it names the template and the line
     */
    public String render(List<Message> messages, boolean addGenerationPrompt) {
        Map<String, Object> variables = new HashMap<>(specialTokens);
        variables.putAll(template.literals());
        variables.put("messages", messages.stream().map(ChatTemplate::variable).toList());
        variables.put("add_generation_prompt", addGenerationPrompt);
        JinjavaInterpreter interpreter = new JinjavaInterpreter(
                jinjava, new Context(jinjava.getGlobalContext(), variables), jinjava.getGlobalConfig());
        return run(interpreter, () -> interpreter.render(parsed));
    }

    private static Map<String, Object> variable(Message message) {
        Map<String, Object> variable = new LinkedHashMap<>();
        variable.put("role", message.role());
        variable.put("content", message.content());
        return variable;
    }

    /** Jinjava works on the current interpreter of the thread, and keeps its complaints there. */
    private <T> T run(JinjavaInterpreter interpreter, Supplier<T> work) {
        try (var current = JinjavaInterpreter.closeablePushCurrent(interpreter).get()) {
            T result = work.get();
            interpreter.getErrorsCopy().stream()
                    .filter(ChatTemplate::isError)
                    .findFirst()
                    .ifPresent(this::refuse);
            return result;
        } catch (InterpretException e) {
            throw new RankineException(
                    source + ": chat template, line " + e.getLineNumber() + ": " + e.getMessage(), e);
        }
    }

    private void refuse(TemplateError error) {
        throw new RankineException(
                source + ": chat template, line " + error.getLineno() + ": " + message(error), error.getException());
    }

    /** A property that is not there is undefined in Jinja, and no error. */
    private static boolean isError(TemplateError error) {
        return error.getSeverity() == ErrorType.FATAL || error.getReason() == ErrorReason.SYNTAX_ERROR;
    }

    private static String message(TemplateError error) {
        for (Throwable e = error.getException(); e != null; e = e.getCause()) {
            if (e instanceof TemplateFunctions.RaisedException) {
                return "the template refuses the conversation: " + e.getMessage();
            }
        }
        return error.getMessage();
    }

    private static Jinjava jinjava() {
        CompositeELResolver resolver = new CompositeELResolver();
        resolver.add(new PythonStrings());
        resolver.add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_WRITE);
        Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
                // What a message says is text, even where it looks like a template.
                .withNestedInterpretationEnabled(false)
                .withMaxOutputSize(MAX_OUTPUT)
                .withElResolver(resolver)
                .withLegacyOverrides(LegacyOverrides.newBuilder()
                        .withEvaluateMapKeys(true)
                        .withIterateOverMapKeys(true)
                        .withUsePyishObjectMapper(true)
                        .withUseNaturalOperatorPrecedence(true)
                        .withKeepNullableLoopValues(true)
                        .build())
                .build());
        TemplateFunctions.all().forEach(jinjava.getGlobalContext()::registerFunction);
        jinjava.getGlobalContext().registerFilter(new PythonJson());
        return jinjava;
    }
}
