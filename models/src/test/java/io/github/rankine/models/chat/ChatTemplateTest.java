package io.github.rankine.models.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.tokenizer.Tokenizer;
import io.github.rankine.models.tokenizer.TokenizerConfig;
import io.github.rankine.models.tokenizer.Tokenizers;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ChatTemplateTest {
    private static final TokenizerConfig TOKENS = new TokenizerConfig(
            Map.of("bos_token", "<s>", "eos_token", "</s>"), false, false, Optional.empty(), "tokenizer_config.json");

    private static final List<Message> CONVERSATION =
            List.of(new Message("user", "Hi"), new Message("assistant", "Yes?"));

    @TempDir
    Path folder;

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(
                ChatTemplateTest.class.getResource("/chat-templates/" + name).toURI());
    }

    /** What Transformers 5.18 and Jinja2 3.1.6 make of the same templates and conversations. */
    static Stream<Arguments> renderedByTransformers() throws URISyntaxException {
        JsonNode cases = Json.parse(Json.readText(resource("expected.json")), "expected.json");
        return StreamSupport.stream(cases.spliterator(), false)
                .map(node -> Arguments.of(node.path("template").textValue(), node));
    }

    @ParameterizedTest(name = "{index} {0}")
    @MethodSource("renderedByTransformers")
    void rendersAsTransformersDoes(String name, JsonNode expected) throws URISyntaxException {
        ChatTemplate template = ChatTemplate.named(resource(name).toString(), TOKENS);
        List<Message> messages = new ArrayList<>();
        for (JsonNode message : expected.path("messages")) {
            messages.add(new Message(
                    message.path("role").textValue(), message.path("content").textValue()));
        }
        boolean generationPrompt = expected.path("add_generation_prompt").booleanValue();
        if (expected.has("refused")) {
            assertThatThrownBy(() -> template.render(messages, generationPrompt))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining(name + ": chat template, line ")
                    .hasMessageEndingWith(": the template refuses the conversation: "
                            + expected.path("refused").textValue());
        } else {
            assertThat(template.render(messages, generationPrompt))
                    .isEqualTo(expected.path("text").textValue());
        }
    }

    @Test
    void knowsChatml() {
        assertThat(ChatTemplate.named("chatml", TOKENS).render(CONVERSATION, true))
                .isEqualTo("""
                    <|im_start|>user
                    Hi<|im_end|>
                    <|im_start|>assistant
                    Yes?<|im_end|>
                    <|im_start|>assistant
                    """);
    }

    /** A message is data: whatever it says, nothing of it is run as a template. */
    @Test
    void messagesAreNotTemplates() {
        String content = "{{ 1 + 1 }} {% for x in y %} {# hidden #} {{ raise_exception('no') }}";
        assertThat(ChatTemplate.named("chatml", TOKENS).render(List.of(new Message("user", content)), false))
                .isEqualTo("<|im_start|>user\n" + content + "<|im_end|>\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '@',
            value = {
                "one\\ntwo {{ x @ line 2: {{ is not closed",
                "{% raw %}\\n @ line 1: {% raw %} is not closed",
                "a\\n{# b @ line 2: {# is not closed",
                "a\\n{% if %} @ line 2: ",
                "a\\n\\n{% frobnicate %} @ line 3: ",
                "a\\n  {%- if true %}\\n{{- foo( }}{% endif %} @ line 3: ",
                "{% for m in messages %} @ line 1: ",
                "{% for m in messages %}\\n{% if m %}{% else %}{% endif %}{% else %} @ line 2: the else of a for loop",
                "x\\n{{ \"a\" | nofilter }} @ line 2: ",
            })
    void namesTheTemplateAndTheLine(String template, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("my.jinja"), template.replace("\\n", "\n"));
        assertThatThrownBy(() -> ChatTemplate.named(file.toString(), TOKENS).render(CONVERSATION, false))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(file + ": chat template, " + message);
    }

    @Test
    void formatsTheTimeAsStrftimeDoes() {
        ZonedDateTime time = ZonedDateTime.of(2026, 3, 7, 16, 5, 9, 0, ZoneOffset.UTC);
        assertThat(TemplateFunctions.strftime("%d %b %Y, %A %-d %B %y %H:%M:%S %I %p %j 100%% %Q", time))
                .isEqualTo("07 Mar 2026, Saturday 7 March 26 16:05:09 04 PM 066 100% %Q");
    }

    @Test
    void writesJsonAsPythonDoes() throws IOException {
        Path file =
                Files.writeString(folder.resolve("json.jinja"), "{{ {'a': [1, {}], 'b\"': none} | tojson(indent=2) }}");
        assertThat(ChatTemplate.named(file.toString(), TOKENS).render(CONVERSATION, false))
                .isEqualTo("""
                    {
                      "a": [
                        1,
                        {}
                      ],
                      "b\\"": null
                    }\
                    """);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tokenizer_config.json  | {\"chat_template\": \"{{ 'own' }}\"}",
                "tokenizer_config.json  | {\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"},"
                        + " {\"name\": \"default\", \"template\": \"own\"}]}",
                "chat_template.json     | {\"chat_template\": \"own\"}",
                "chat_template.jinja    | own",
            })
    void findsTheModelsTemplate(String name, String content) throws IOException {
        Files.copy(Tokenizers.folder("bytelevel").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": \"overridden by files\"}");
        Files.writeString(folder.resolve(name), content);
        try (Tokenizer tokenizer = Tokenizer.open(folder, List.of())) {
            ChatTemplate template = ChatTemplate.of(tokenizer.config()).orElseThrow();
            assertThat(template.render(CONVERSATION, false)).isEqualTo("own");
        }
    }

    @Test
    void refusesAModelsTemplateOfTheWrongType() throws IOException {
        Files.copy(Tokenizers.folder("bytelevel").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": 3}");
        assertThatThrownBy(() -> Tokenizer.open(folder, List.of()))
                .isInstanceOf(RankineException.class)
                .hasMessageEndingWith("tokenizer_config.json: chat_template: 3 found, expected a template or a list of"
                        + " named templates");
    }
}
