package io.github.rankine.engine;

/**
 * A failure that the user can mend. The message is one line that names the file or field at fault and the remedy; the
 * command line prints it as it is, without a stack trace.
 */
public class RankineException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int MAX_LENGTH = 2000;

    public RankineException(String message) {
        super(oneLine(message));
    }

    public RankineException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /** Names and values out of files go into messages: whatever they hold, the message stays one line of sane length. */
    private static String oneLine(String message) {
        String start = message.length() <= MAX_LENGTH ? message : message.substring(0, MAX_LENGTH) + "...";
        return start.codePoints()
                .map(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029 ? ' ' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }
}
