package io.github.rankine.models.data;

import io.github.rankine.engine.RankineException;
import io.github.rankine.models.chat.ChatTemplate;
import io.github.rankine.models.chat.Message;
import io.github.rankine.models.data.LearnedText.Range;
import java.util.ArrayList;
import java.util.List;

/**
 * Renders a conversation and finds the assistant's turns in it: what the model has to write itself, from behind the
 * generation prompt to behind the token that ends the turn.
 *
 * <p>A turn's content is found with a second rendering in which every answer is a mark: what is between the marks is the
 * template's, and stands in the first rendering around the answers, even where the template changes them (trims them,
 * say) or lays out a turn differently when more turns follow. What follows the last answer is the end of a turn.
 */
final class ConversationText {
    private static final String MARK_BEGIN = "\uE0F0";
    private static final String MARK_END = "\uE0F1";

    private final List<Message> messages;
    private final ChatTemplate template;
    private final String place;
    private final String text;

    private ConversationText(List<Message> messages, ChatTemplate template, String place) {
        this.messages = messages;
        this.template = template;
        this.place = place;
        this.text = template.render(messages, false);
    }

    /** Renders the conversation as far as its last answer; nothing is learned where there is none. */
    static LearnedText render(List<Message> conversation, ChatTemplate template, String place) {
        int length = conversation.size();
        while (length > 0 && !conversation.get(length - 1).isAssistant()) {
            length--;
        }
        if (length == 0) {
            return new LearnedText("", List.of(), true);
        }
        try {
            ConversationText rendering = new ConversationText(conversation.subList(0, length), template, place);
            return new LearnedText(rendering.text, rendering.turns(), true);
        } catch (RankineException e) {
            throw e.getMessage().startsWith(place) ? e : new RankineException(place + ": " + e.getMessage(), e);
        }
    }

    private List<Range> turns() {
        List<String> pieces = pieces();
        String ending = ending(pieces.getLast());
        List<Range> turns = new ArrayList<>();
        int position = 0;
        int answer = 0;
        for (int i = 0; i < messages.size(); i++) {
            if (!messages.get(i).isAssistant()) {
                continue;
            }
            String before = pieces.get(answer);
            String after = pieces.get(answer + 1);
            if (!text.startsWith(before, position)) {
                throw unusual(i);
            }
            position += before.length();
            boolean last = answer == pieces.size() - 2;
            int contentEnd = contentEnd(messages.get(i).content(), position, after, last);
            if (contentEnd < 0) {
                throw unusual(i);
            }
            // An answer that is empty is no reason to learn its end.
            if (contentEnd > position) {
                turns.add(new Range(turnStart(i, position), contentEnd + commonPrefix(after, ending)));
            }
            position = contentEnd;
            answer++;
        }
        return turns;
    }

    /** The template's text before, between and after the answers. */
    private List<String> pieces() {
        List<Message> marked = new ArrayList<>();
        int answers = 0;
        for (Message message : messages) {
            marked.add(message.isAssistant() ? new Message(message.role(), mark(answers++)) : message);
        }
        String rendered = template.render(marked, false);
        List<String> pieces = new ArrayList<>();
        int position = 0;
        for (int i = 0; i < answers; i++) {
            int found = rendered.indexOf(mark(i), position);
            if (found < 0) {
                throw new RankineException(place + ": the chat template leaves out answer " + (i + 1)
                        + " of the conversation; split the conversation, or give another --chat-template");
            }
            pieces.add(rendered.substring(position, found));
            position = found + mark(i).length();
        }
        pieces.add(rendered.substring(position));
        return pieces;
    }

    private static String mark(int answer) {
        return MARK_BEGIN + answer + MARK_END;
    }

    /** Where the answer that begins at {@code start} ends; -1 when that cannot be told. */
    private int contentEnd(String content, int start, String after, boolean last) {
        if (last) {
            int end = text.length() - after.length();
            return end >= start && text.endsWith(after) ? end : -1;
        }
        // The content first: it may itself hold what the template puts between two turns.
        for (String form : List.of(content, content.strip(), content.stripLeading(), content.stripTrailing())) {
            if (text.startsWith(form + after, start)) {
                return start + form.length();
            }
        }
        return after.isEmpty() ? -1 : text.indexOf(after, start);
    }

    /** The text that ends a turn, without the line break that may follow the end token: nobody has to write that. */
    private static String ending(String afterLastAnswer) {
        return afterLastAnswer.isBlank() ? afterLastAnswer : afterLastAnswer.stripTrailing();
    }

    /** Where the model takes over: behind the generation prompt, which may be shorter than what precedes the content. */
    private int turnStart(int message, int contentStart) {
        String prompt;
        try {
            prompt = template.render(messages.subList(0, message), true);
        } catch (RankineException e) {
            return contentStart; // some templates refuse to begin with the assistant
        }
        return prompt.length() <= contentStart && text.startsWith(prompt) ? prompt.length() : contentStart;
    }

    private static int commonPrefix(String a, String b) {
        int length = 0;
        while (length < Math.min(a.length(), b.length()) && a.charAt(length) == b.charAt(length)) {
            length++;
        }
        return length;
    }

    private RankineException unusual(int message) {
        return new RankineException(place + ": messages[" + message
                + "] cannot be found in what the chat template makes of the conversation; split the conversation, or"
                + " give another --chat-template");
    }
}
