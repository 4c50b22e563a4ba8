package io.github.rankine.models.data;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.chat.Message;
import io.github.rankine.models.data.LearnedText.Range;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Lays out a record of text, of whichever kind, and says what of it is learned. */
final class RecordText {
    private final Optional<ChatTemplate> template;

    RecordText(Optional<ChatTemplate> template) {
        this.template = template;
    }

    LearnedText of(RecordKind kind, JsonObject record, String place) {
        return switch (kind) {
            case TEXT -> LearnedText.of("", record.string("text"));
            case PROMPT_COMPLETION -> LearnedText.of(record.string("prompt"), record.string("completion"));
            case ALPACA -> alpaca(record);
            case MESSAGES -> conversation(messages(record, "messages", "role", "content", place), place);
            case SHAREGPT -> conversation(messages(record, "conversations", "from", "value", place), place);
            case TOKENS -> throw new IllegalArgumentException("tokens have no text");
        };
    }

    /**
     * A {@code system} text stands in place of the layout's first sentence. Turns of the {@code history}, pairs of
     * instruction and response, come before the instruction, and their responses are learned as well.
     */
    private static LearnedText alpaca(JsonObject record) {
        String input = record.string("input", "");
        String system = record.string("system", "");
        StringBuilder text = new StringBuilder(system.isEmpty() ? Alpaca.preamble(!input.isEmpty()) : system + "\n\n");
        List<Range> learned = new ArrayList<>();
        for (JsonNode turn : list(record, "history")) {
            if (!turn.isArray()
                    || turn.size() != 2
                    || !turn.get(0).isTextual()
                    || !turn.get(1).isTextual()) {
                throw record.error("history", "expected a list of pairs [instruction, response] of strings");
            }
            text.append(Alpaca.turn(turn.get(0).textValue(), ""));
            append(text, turn.get(1).textValue(), learned);
            text.append("\n\n");
        }
        text.append(Alpaca.turn(record.string("instruction"), input));
        String output = record.string("output");
        if (output.isEmpty()) {
            return new LearnedText(text.toString(), List.of(), false);
        }
        append(text, output, learned);
        return new LearnedText(text.toString(), learned, false);
    }

    private static void append(StringBuilder text, String response, List<Range> learned) {
        learned.add(new Range(text.length(), text.length() + response.length()));
        text.append(response);
    }

    private LearnedText conversation(List<Message> messages, String place) {
        ChatTemplate chat = template.orElseThrow(() -> new RankineException(place
                + ": a conversation needs a chat template and the model has none; give one with --chat-template FILE or"
                + " --chat-template chatml"));
        return ConversationText.render(messages, chat, place);
    }

    private static List<Message> messages(
            JsonObject record, String field, String roleField, String contentField, String place) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode node : list(record, field)) {
            JsonObject message = Json.object(node, place + ": " + field + "[" + messages.size() + "]");
            String role = message.string(roleField);
            messages.add(
                    new Message(roleField.equals("from") ? role(role, message) : role, message.string(contentField)));
        }
        return messages;
    }

    private static JsonNode list(JsonObject record, String field) {
        if (record.has(field) && !record.get(field).isArray()) {
            throw record.unexpected(field, "a list");
        }
        return record.has(field) ? record.get(field) : Json.mapper().createArrayNode();
    }

    /** ShareGPT's names for the roles. */
    private static String role(String from, JsonObject message) {
        return switch (from) {
            case "human", "user" -> "user";
            case "gpt", "assistant", "chatgpt", "bing", "bard", "model" -> "assistant";
            case "system" -> "system";
            default -> throw message.unexpected("from", "human, gpt or system");
        };
    }
}
