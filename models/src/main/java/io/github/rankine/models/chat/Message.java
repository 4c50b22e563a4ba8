package io.github.rankine.models.chat;

/**
 * One turn of a conversation.
 *
 * @param role {@code system}, {@code user}, {@code assistant} or what else the chat template knows
 */
public record Message(String role, String content) {
    public boolean isAssistant() {
        return role.equals("assistant");
    }
}
