package io.github.rankine.models.bundled;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * The text that the bundled model is pretrained on: little stories, descriptions, dialogues, chats, questions about
 * what was just said, lists, counting and spelling. Most of it says things twice in different words, because finding
 * and repeating what was said before is what an adapter later builds upon.
 */
public final class PretrainingText {
    private static final String DOCUMENTS = """
        document:
          5* <story>
          8* <moving>
          4* <owning>
          3* <describing>
          3* <handling>
          3* <dialogue>
          3* <chat>
          6* <recalling>
          4* <rephrasing>
          2* <counting>
          2* <ordering>
          1* <spelling>
          1* <facts>
        """;

    private static final String STORIES = """
        story:
          <person:who> had a <animal:pet>. <act-of-who> <thing-of-who> <pet-of-who> <ending-of-who>
          Once a <size> <animal:pet> lived in the <place:home>. <!person:who><visit-of-who> <pet-of-who> <ending-of-who>
          <!person:who><!person:friend><day-of-who> <meeting> <thing-of-who> <ending-of-who>
          <!person:who><day-of-who> <act-of-who> <thing-of-who> <visit-of-who>
        act-of-who:
          <$who> was <mood:how> and <act:did.past>. <^$who.he> <$did.past> all day in the <place:here>. "I am <$how>,"
              said <$who>.
          Every <day:then> <$who.he> <act:did.past> in the <place:here>. "On <$then> I <$did> in the <$here>," <$who.he>
              said.
          <$who> liked to <act:like> and to <act:also>. So <$who.he> <$like.past> in the morning and <$also.past> at
              night.
        day-of-who:
          One <weather:sky> <day:then> <$who> went to the <place:here>. The <$here> was <quality:state> and <$who> was
              <mood:how>.
          It was <day:then> and it was <weather:sky>. <$who> the <job:trade> was in the <place:here>.
          <$who> was a <mood:how> <job:trade>. Every <$trade> works in the <place:here>, and so did <$who>.
        meeting:
          There <$who.he> met <$friend>. "Good day, <$friend>," said <$who>. "Good day, <$who>," said <$friend>.
          <$friend> came too. <$who> and <$friend> <act:did.past> until night. "You <$did> well, <$friend>," <$who.he>
              said to <$friend.him>.
        visit-of-who:
          <$who> went from the <place:one> to the <place:two>, and then back from the <$two> to the <$one>.
          Then <$who> saw a <colour:c> <animal:a> in the <place:here>. The <$c> <$a> <act:did.past>, and <$who>
              <$did.past> with it.
        thing-of-who:
          <^$who.he> <handle:did.past> a <colour:c> <thing:what>. The <$c> <$what> was <quality:state>. "My <$what> is
              <$state>," said <$who>.
          <^$who.he> had a <thing:what> of <material:stuff>. "It is a <$stuff> <$what>," <$who.he> said. "I <handle:did>
              it every day."
          <^$who.he> wanted to <handle:did> a <size:s> <thing:what>, and in the end <$who.he> <$did.past> the <$s>
              <$what>.
          <^$who.he> ate <number:n> <food:f.many> and <number:m> <food:g.many>. No more <$f.many> and no more <$g.many>
              were left.
        pet-of-who:
          The <$pet> <act:did.past> in the <place:here>. "Do not <$did> in the <$here>, little <$pet>!" said <$who>.
          The <$pet> was <mood:how>. "Why are you <$how>, <$pet>?" asked <$who>. But a <$pet> cannot answer.
        ending-of-who:
          <^$who.he> was <mood:how> then, very <$how>.
          In the evening <$who> was <mood> and went home to the <place>.
          "What a <weather> <day>!" said <$who>.
          And that is the end of the story of <$who>.
        """;

    static final String QUESTIONS = """
        moving:
          2* <draw-move><say-move> <ask-move> <ask-move>
          2* <draw-move><say-move> <ask-move> <ask-move> <ask-move>
          2* <draw-move><say-move><nl><ask-move><nl><ask-move><nl><ask-move>
          <draw-move><say-move> <draw-handle><say-handle> <ask-move> <ask-handle> <ask-move> <ask-handle>
          <draw-move><say-move> "What happened?" asked <person:friend>. "<say-move>" <ask-move>
          <draw-move><say-move> Did you hear it, <person:friend>? <say-move> <ask-move>
        draw-move:
          <!person:who><!move:did><!colour:c><!thing:what><!place:from><!place:to><!day:then>
        say-move:
          <$who> <$did.past> the <$c> <$what> from the <$from> to the <$to> on <$then>.
          On <$then> <$who> <$did.past> the <$c> <$what> from the <$from> to the <$to>.
          The <$c> <$what> was <$did.done> from the <$from> to the <$to> by <$who> on <$then>.
          On <$then> the <$c> <$what> was <$did.done> to the <$to> from the <$from> by <$who>.
          From the <$from> <$who> <$did.past> the <$c> <$what> to the <$to> on <$then>.
        ask-move:
          2* Who <$did.past> the <$what>? <$who>.
          Who <$did.past> the <$c> <$what>? <$who> did.
          2* What did <$who> <$did>? The <$c> <$what>.
          What was <$did.done> to the <$to>? A <$c> <$what>.
          2* What did <$who> do? <$who> <$did.past> the <$what>.
          What did <$who> do with the <$what>? <^$who.he> <$did.past> it. <$who> likes to <$did>.
          Did <$who> <$did> the <$what>? Yes, on <$then> <$who> <$did.past> it.
          Where did <$who> <$did> the <$what>? To the <$to>.
          From where? From the <$from>.
          From where to where? From the <$from> to the <$to>.
          2* When did <$who> <$did> the <$what>? On <$then>.
          Which day was it? It was <$then>.
          What colour was the <$what>? It was <$c>.
          Where is the <$what> now? In the <$to>, not in the <$from>.
        handling:
          <draw-handle><say-handle> <ask-handle> <ask-handle> <ask-handle>
          <draw-handle><say-handle><nl><ask-handle><nl><ask-handle>
        draw-handle:
          <!person:hero><!handle:deed><!number:count><!size:s><!thing:item><!place:site>
        say-handle:
          <$hero> <$deed.past> <$count> <$s> <$item.many> in the <$site>.
          In the <$site> <$hero> <$deed.past> <$count> <$s> <$item.many>.
          <^$count> <$s> <$item.many> were <$deed.done> by <$hero> in the <$site>.
        ask-handle:
          Who <$deed.past> the <$item.many>? <$hero>.
          What did <$hero> <$deed>? <^$count> <$item.many>. Every <$item> was <$s>.
          How many <$item.many>? <^$count>, that is <$count.digit> <$item.many>.
          How many? There are <$count.digit>. One <$item> and more, <$count> <$item.many> in all.
          In what place? In the <$site>.
          What was every <$item> like? It was a <$s> <$item>.
          What did <$hero> do? <^$deed> <$item.many>. <^$hero.he> likes to <$deed>.
        owning:
          <draw-owners><$a> has the <$x>, <$b> has the <$y> and <$d> has the <$z>. <ask-owner> <ask-owner> <ask-owner>
          <draw-owners>The <$x> is for <$a>. The <$y> is for <$b>. The <$z> is for <$d>. <ask-owner> <ask-owner>
          <draw-owners><$a>: <$c> <$x>. <$b>: <$e> <$y>. <$d>: <$f> <$z>. <ask-owner> <ask-owner> <ask-colour>
              <ask-colour>
        draw-owners:
          <!person:a><!person:b><!person:d><!thing:x><!thing:y><!thing:z><!colour:c><!colour:e><!colour:f>
        ask-owner:
          Who has the <$x>? <$a>.
          Who has the <$y>? <$b>.
          Who has the <$z>? <$d>.
          What has <$a>? The <$x>.
          What has <$b>? The <$y>.
          What has <$d>? The <$z>.
        ask-colour:
          What colour is the <$x>? <^$c>.
          What colour is the <$y>? <^$e>.
          What colour is the <$z>? <^$f>.
        describing:
          <!thing:x><!material:m><!colour:c><!size:s>This is a <$s> <$c> <$x>. It is of <$m>. <ask-thing> <ask-thing>
          <!thing:x><!material:m><!colour:c><!size:s>The <$x> is <$s> and <$c>, of <$m>. <ask-thing> <ask-thing>
              <ask-thing>
        ask-thing:
          Of what is the <$x>? Of <$m>.
          What colour is it? <^$c>.
          Is the <$x> <$s>? Yes, it is a <$s> <$x>.
          What is <$s> and <$c>? The <$x>.
        rephrasing:
          <draw-move><say-move> In other words: <say-move>
          <draw-move><say-move> That means: <say-move> And again: <say-move>
          <draw-handle><say-handle> In other words: <say-handle> <ask-handle>
        """;

    private static final String TALK = """
        dialogue:
          <!person:a><!person:b><!thing:x><!place:p><$a>: Where is my <$x>?<nl><$b>: Your <$x> is in the <$p>, <$a>.
              <nl><$a>: In the <$p>? Thank you, <$b>!
          <!person:a><!person:b><!act:t><!place:p><$a>: Let us <$t> in the <$p>.<nl><$b>: I cannot <$t>, <$a>. I am
              <mood:h>.<nl><$a>: Why are you <$h>, <$b>?
          <!person:a><!person:b><!thing:x><!colour:c><$a>: I want a <$c> <$x>.<nl><$b>: I have a <$c> <$x>. Do you want
              to <handle> it?<nl><$a>: Yes, <$b>. A <$c> <$x> is what I want.
          <!person:a><!person:b><!move:t><!thing:x><!place:p>"Please <$t> the <$x> to the <$p>, <$b>," said <$a>. "The
              <$x>? To the <$p>?" asked <$b>. Then <$b> <$t.past> the <$x> to the <$p>.
          <!person:a><!move:t><!number:n><!colour:c><!thing:x><!place:p><!place:q>Please <$t> <$n> <$c> <$x.many> from
              the <$p> to the <$q>, said <$a>. I go to the <$p>. I take <$n.digit> <$c> <$x.many>. I go to the <$q>.
        chat:
          <|im_start|>user<nl>Hello!<|im_end|><nl><|im_start|>assistant<nl>Hello! What do you want to know?<|im_end|>
          <|im_start|>user<nl>Who are you?<|im_end|><nl><|im_start|>assistant<nl>I am a very small model. I know little
              stories.<|im_end|>
          2* <|im_start|>user<nl>Tell me a story.<|im_end|><nl><|im_start|>assistant<nl><story><|im_end|>
          2* <|im_start|>user<nl>Tell me about a <animal:x>.<|im_end|><nl><|im_start|>assistant<nl>The <$x> is an
              animal. A <$x> can <act>. It is <colour> and <size>.<|im_end|>
          <|im_start|>user<nl>My name is <person:a>.<|im_end|><nl><|im_start|>assistant<nl>Hello, <$a>! <$a> is a good
              name.<|im_end|>
          2* <|im_start|>user<nl><draw-owners><$a> has the <$x> and <$b> has the <$y>. Who has the <$y>?<|im_end|>
              <nl><|im_start|>assistant<nl><$b> has the <$y>.<|im_end|>
          2* <|im_start|>user<nl><draw-move><say-move> What did <$who> <$did>?<|im_end|><nl><|im_start|>assistant
              <nl><$who> <$did.past> the <$c> <$what>.<|im_end|>
        """;

    private static final String LISTS = """
        recalling:
          <draw-owners><$a> <$x>, <$b> <$y>, <$d> <$z>. Again: <$a> <$x>, <$b> <$y>, <$d> <$z>.
          <draw-owners>Say after me: <$c> <$x> <$e> <$y> <$f> <$z>. <^$c> <$x> <$e> <$y> <$f> <$z>.
          <!place:x><!animal:y><!food:z><!number:n><!day:d>Remember: <$x>, <$y>, <$z>, <$n>, <$d>. What was it? <^$x>,
              <$y>, <$z>, <$n>, <$d>.
          <!place:x><!animal:y><!food:z><!colour:c>List: <$x>; <$y>; <$z>; <$c>. List again: <$x>; <$y>; <$z>; <$c>.
        ordering:
          <draw-owners><$x>, <$y>, <$z>. Backwards: <$z>, <$y>, <$x>.
          <draw-owners>After <$a> comes <$b>, after <$b> comes <$d>. Who comes first? <$a>. Who comes last? <$d>.
          <!person:a><!person:b><!size:s><$a> is more <$s> than <$b>. Who is more <$s>? <$a>. Who is less <$s>? <$b>.
        counting:
          <^number:n> is written <$n.digit>. After <$n> comes <$n.next>. Before <$n> comes <$n.before>.
          One <thing:x>, two <$x.many>, three <$x.many>, four <$x.many>. Many <$x.many>, but only one <$x>.
          One <food:x>, two <$x.many>. I eat <number:n> <$x.many>, that is <$n.digit>. Then <$n.next> <$x.many>. Then no
              <$x>.
          There are <number:n.digit> <animal:x.many> in the <place:p>. <^$n> <$x.many>! And <number:m.digit>
              <thing:y.many>. <^$m> <$y.many>!
        spelling:
          The word <thing:x> is spelled <$x|spelled>.
          Spell <colour:x>: <$x|spelled>. Spell <animal:y>: <$y|spelled>.
          Read <thing:x> backwards: <$x|reversed>. Read <$x|reversed> backwards: <$x>.
        facts:
          A <animal:x> is an animal. An animal can <act>. A <food:y> is food. People eat a <$y>, but not a <$x>.
          <day:x> is a day. <colour:y> is a colour. <person:z> is a name. <place:p> is a place. <thing:t> is a thing.
          To <move:x>: today I <$x>, yesterday I <$x.past>, and it was <$x.done>. I am <$x.ing>.
          To <handle:x>: today I <$x>, yesterday I <$x.past>, and it was <$x.done>. I am <$x.ing>.
          To <act:x>: today I <$x>, yesterday I <$x.past>. I am <$x.ing>.
          The <job:x> lives in the <place:y>. Who lives in the <$y>? The <$x>.
        """;

    private static final int DRILL_WORDS = 32;

    private final Grammar grammar = new Grammar(Lexicon.WORDS, DOCUMENTS, STORIES, QUESTIONS, TALK, LISTS);
    private final List<List<String>> drillWords = Stream.of("person", "thing", "place", "colour", "animal")
            .map(grammar::words)
            .toList();
    private final SplittableRandom random;

    /** Begins the endless sequence of documents that belongs to {@code seed}. */
    public PretrainingText(long seed) {
        random = new SplittableRandom(seed);
    }

    /**
     * {@value #DRILL_WORDS} random words, and the same again. Without such drill at the beginning a small model takes
     * thousands of steps to find out that it can copy (the induction heads of Olsson et al. 2022), and until then all
     * that it learns of the documents is which kind of word comes where.
     */
    public String nextDrill() {
        StringBuilder list = new StringBuilder();
        for (int i = 0; i < DRILL_WORDS; i++) {
            List<String> words = drillWords.get(random.nextInt(drillWords.size()));
            list.append(' ').append(words.get(random.nextInt(words.size())));
        }
        return list.toString().repeat(2);
    }

    /** The next document: one to some sixty words of ASCII, without an end-of-text token. */
    public String next() {
        return grammar.derive("document", random).text();
    }
}
