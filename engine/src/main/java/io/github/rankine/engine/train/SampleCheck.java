package io.github.rankine.engine.train;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.nn.Decoder;
import java.util.List;

/** Refuses samples that a model cannot take. */
final class SampleCheck {
    private SampleCheck() {}

    static void check(List<Sample> samples, Decoder decoder) {
        for (int i = 0; i < samples.size(); i++) {
            Sample sample = samples.get(i);
            if (sample.learnedTokens() == 0) {
                throw new RankineException("sample " + i + " has no token to learn");
            }
            if (decoder.hasLearnedPositions() && sample.length() > decoder.maxPositions()) {
                throw new RankineException("sample " + i + " has " + sample.length() + " tokens, the model takes "
                        + decoder.maxPositions() + " at most: lower the maximum length (--max-length)");
            }
            checkIds(i, sample.inputIds(), decoder.vocabularySize(), false);
            checkIds(i, sample.labels(), decoder.vocabularySize(), true);
        }
    }

    private static void checkIds(int index, int[] ids, int vocabulary, boolean ignoredAllowed) {
        for (int id : ids) {
            if ((id < 0 || id >= vocabulary) && !(ignoredAllowed && id == Sample.IGNORED)) {
                throw new RankineException("sample " + index + " has token " + id + ", the model's vocabulary has "
                        + vocabulary + ": tokenizer and model do not belong together");
            }
        }
    }
}
