package io.github.rankine.engine;

/**
 * A failure that the user can mend. The message is one line that names the file or field at fault and the remedy; the
 * command line prints it as it is, without a stack trace.
 */
public class RankineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public RankineException(String message) {
        super(message);
    }

    public RankineException(String message, Throwable cause) {
        super(message, cause);
    }
}
