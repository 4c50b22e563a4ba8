package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class GrammarTest {
    private static String derive(String... notation) {
        return new Grammar(notation).derive("text", new SplittableRandom(1)).text();
    }

    @Test
    void recallsWhatWasDrawnInItsForms() {
        String notation = """
            person(name, he): Ada/she
            thing(one, many): egg/eggs
            text:
              <!person:who><talk>
            talk:
              <thing:what.many>, <$who> said.<nl><^$who.he> had a <$what>: <$what|spelled>, <$what|reversed>.
            """;
        assertThat(derive(notation)).isEqualTo("eggs, Ada said.\nShe had an egg: e-g-g, gge.");
    }

    @Test
    void remembersTheDefaultFormOfEachVariable() {
        Grammar grammar = new Grammar("""
            thing(one, many): lamp/lamps
            text:
              <thing:what.many> <thing>
            """);
        Grammar.Derivation derivation = grammar.derive("text", new SplittableRandom(1));
        assertThat(derivation.text()).isEqualTo("lamps lamp");
        assertThat(derivation.remembered()).isEqualTo(Map.of("what", "lamp"));
    }

    @Test
    void furtherIndentedLinesContinueTheOneAbove() {
        String notation = """
            text:
              one
                  two
                  <nl>three
            """;
        assertThat(derive(notation)).isEqualTo("one two\nthree");
    }

    @Test
    void rememberedDrawsOfOneRuleDiffer() {
        Grammar grammar = new Grammar("name: Ada, Ben, Carl", "text:\n  <name:a> <name:b> <name:c>");
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 50; i++) {
            assertThat(grammar.derive("text", random).text().split(" ")).doesNotHaveDuplicates();
        }
    }

    @Test
    void alternativesOccurAsOftenAsTheyWeigh() {
        Grammar grammar = new Grammar("text:\n  3* often\n  seldom");
        SplittableRandom random = new SplittableRandom(5);
        Map<String, Integer> counts = new HashMap<>();
        for (int i = 0; i < 4000; i++) {
            counts.merge(grammar.derive("text", random).text(), 1, Integer::sum);
        }
        assertThat(counts).containsOnlyKeys("often", "seldom");
        assertThat(counts.get("often")).isBetween(2900, 3100);
    }

    @Test
    void refusesWhatItCannotResolve() {
        assertThatThrownBy(() -> derive("text:\n  <noun>")).hasMessageContaining("no rule is named 'noun'");
        assertThatThrownBy(() -> derive("noun: lamp", "text:\n  <noun.many>")).hasMessageContaining("no form 'many'");
        assertThatThrownBy(() -> derive("noun: lamp", "text:\n  <noun:x> <$x.many>"))
                .hasMessageContaining("no form 'many'");
        assertThatThrownBy(() -> derive("text:\n  <$x>")).hasMessageContaining("$x is recalled before");
        assertThatThrownBy(() -> derive("noun(one, many): lamp")).hasMessageContaining("'lamp' must have the forms");
        assertThatThrownBy(() -> derive("noun: lamp", "noun: box")).hasMessageContaining("defined twice");
        assertThatThrownBy(() -> derive("no header")).hasMessageContaining("cannot read the line 'no header'");
        assertThatThrownBy(() -> derive("text:\n  <say:it>", "say:\n  hello")).hasMessageContaining("only words");
        assertThatThrownBy(() -> derive("text:\n  <Noun>")).hasMessageContaining("<Noun>");
    }
}
