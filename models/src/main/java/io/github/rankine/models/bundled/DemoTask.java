package io.github.rankine.models.bundled;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * The tasks of {@code rankine demo}. The bundled model knows the words and the kinds of sentences, but has met neither
 * task: no pretraining document holds such a prompt or such an answer.
 *
 * <p>Held-out examples are apart from training examples by construction: each task names two things that its answer is
 * composed of, and a fixed fifth of all their pairs occurs only in held-out examples. So no held-out answer can have
 * been learned by heart.
 */
public enum DemoTask {
    /** Notes a deed in one fixed order, whatever the sentence's: verbs as the dictionary has them, numbers as digits. */
    RECORD("record", "note who did what and where, in one order whatever the sentence's", "hero", "item", """
        example:
          <draw-handle><tell> Record:=> <$hero> <$deed> <$count.digit> <$s> <$item>, <$site>
        tell:
          3* <say-handle>
          It was <$hero> who <$deed.past> <$count> <$s> <$item.many> in the <$site>.
        """),

    /** Turns a wish into a robot's commands: in the order of acting, numbers as digits, things in the singular. */
    ROBOT("robot", "turn a wish into commands for a robot", "what", "from", """
        example:
          <!number:n><!colour:c><!thing:what><!place:from><wish> Robot:=> go <$from>; take <$n.digit> <$c> <$what>;
              come back
          <!number:n><!colour:c><!thing:what><!place:from><!person:who><gift> Robot:=> go <$from>; take <$n.digit> <$c>
              <$what>; give <$who>
        wish:
          Please bring <$n> <$c> <$what.many> from the <$from>.
          Please go to the <$from> and bring <$n> <$c> <$what.many>.
          In the <$from> there are <$n> <$c> <$what.many>. I want them.
          I want to see <$n> <$c> <$what.many>. You can find them in the <$from>.
        gift:
          Please bring <$n> <$c> <$what.many> from the <$from> to <$who>.
          <$who> wants <$n> <$c> <$what.many> from the <$from>.
          In the <$from> there are <$n> <$c> <$what.many>. <$who> wants them.
        """);

    /** One example: {@code completion} begins with a space and follows {@code prompt} directly. */
    public record Example(String prompt, String completion) {
        /** The example as one line of a prompt/completion data set. */
        public String toJson() {
            return JsonNodeFactory.instance
                    .objectNode()
                    .put("prompt", prompt)
                    .put("completion", completion)
                    .toString();
        }
    }

    /** One pair in this many is held out. */
    private static final int HELD_OUT_SHARE = 5;

    private final String id;
    private final String description;
    private final String first;
    private final String second;
    private final Grammar grammar;

    DemoTask(String id, String description, String first, String second, String notation) {
        this.id = id;
        this.description = description;
        this.first = first;
        this.second = second;
        this.grammar = new Grammar(Lexicon.WORDS, PretrainingText.QUESTIONS, notation);
    }

    /** The task's name in file names. */
    public String id() {
        return id;
    }

    /** What is to be done, in words. */
    public String description() {
        return description;
    }

    /** Draws {@code count} training examples with distinct prompts. */
    public List<Example> training(int count, long seed) {
        return draw(count, seed, false);
    }

    /** Draws {@code count} held-out examples with distinct prompts. */
    public List<Example> heldOut(int count, long seed) {
        return draw(count, seed, true);
    }

    private List<Example> draw(int count, long seed, boolean heldOut) {
        SplittableRandom random = new SplittableRandom(seed);
        Set<String> prompts = new HashSet<>();
        List<Example> examples = new ArrayList<>();
        while (examples.size() < count) {
            Grammar.Derivation derivation = grammar.derive("example", random);
            String[] sides = derivation.text().split("=>");
            if (isHeldOut(derivation.remembered()) == heldOut && prompts.add(sides[0])) {
                examples.add(new Example(sides[0], sides[1]));
            }
        }
        return examples;
    }

    private boolean isHeldOut(Map<String, String> remembered) {
        String pair = remembered.get(first) + ' ' + remembered.get(second);
        return Math.floorMod(pair.hashCode(), HELD_OUT_SHARE) == 0;
    }
}
