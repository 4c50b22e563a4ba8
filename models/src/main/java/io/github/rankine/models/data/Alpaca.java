package io.github.rankine.models.data;

/**
 * Stanford Alpaca's two prompt layouts, with and without an input (<a
 * href="https://github.com/tatsu-lab/stanford_alpaca/blob/main/train.py">{@code PROMPT_DICT} of its train.py</a>). The
 * response follows the last colon directly.
 */
final class Alpaca {
    private static final String WITH_INPUT = "Below is an instruction that describes a task, paired with an input that"
            + " provides further context. Write a response that appropriately completes the request.";

    private static final String WITHOUT_INPUT = "Below is an instruction that describes a task. Write a response that"
            + " appropriately completes the request.";

    private Alpaca() {}

    /** The sentence that a prompt begins with. */
    static String preamble(boolean hasInput) {
        return (hasInput ? WITH_INPUT : WITHOUT_INPUT) + "\n\n";
    }

    /** What stands between the preamble, or the turn before, and the response. */
    static String turn(String instruction, String input) {
        return "### Instruction:\n" + instruction + (input.isEmpty() ? "" : "\n\n### Input:\n" + input)
                + "\n\n### Response:";
    }
}
