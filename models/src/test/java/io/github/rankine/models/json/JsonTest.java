package io.github.rankine.models.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @TempDir
    Path folder;

    private static JsonObject object(String text) {
        return Json.parseObject(text, "config.json");
    }

    @Test
    void readsTypedFields() {
        JsonObject object = object("""
            {"i": 3, "d": 1e-5, "b": true, "s": "x", "n": null, "l": ["p", "q"], "e": 7, "m": {"k": 2}}\
            """);
        assertThat(object.integer("i", 1, 5)).isEqualTo(3);
        assertThat(object.integer("n", 1, 5, 4)).isEqualTo(4);
        assertThat(object.number("d", 0, 1)).isEqualTo(1e-5);
        assertThat(object.flag("b", false)).isTrue();
        assertThat(object.string("s")).isEqualTo("x");
        assertThat(object.has("n")).isFalse();
        assertThat(object.strings("l")).containsExactly("p", "q");
        assertThat(object.integers("e", 0, 9)).isEqualTo(List.of(7));
        assertThat(object.integerMap("m", 0, 9)).containsEntry("k", 2);
        assertThat(object.names()).startsWith("i", "d").endsWith("m");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{}                 | config.json: no field i; expected an integer from 1 to 5",
                "{\"i\": 0}         | config.json: i: 0 found, expected an integer from 1 to 5",
                "{\"i\": 1.5}       | config.json: i: 1.5 found, expected an integer from 1 to 5",
                "{\"i\": \"3\"}     | config.json: i: the string \"3\" found, expected an integer from 1 to 5",
                "{\"i\": [3]}       | config.json: i: a list found, expected an integer from 1 to 5",
                "{\"i\": 99999999999999999999} | config.json: i: 99999999999999999999 found, expected an integer from"
                        + " 1 to 5"
            })
    void namesTheFieldAndWhatIsExpected(String text, String message) {
        assertThatThrownBy(() -> object(text).integer("i", 1, 5))
                .isInstanceOf(RankineException.class)
                .hasMessage(message);
    }

    @Test
    void namesNestedFields() {
        assertThatThrownBy(() -> object("{\"rope\": {\"factor\": 1e999}}")
                        .object("rope")
                        .orElseThrow()
                        .number("factor", 1, 64))
                .hasMessage("config.json: rope.factor: Infinity found, expected a number from 1.0 to 64.0");
        assertThatThrownBy(() -> object("{\"rope\": 3}").object("rope"))
                .hasMessageContaining("rope: 3 found, expected an object");
        assertThatThrownBy(() -> object("{\"l\": [\"a\", 2]}").strings("l")).hasMessageContaining("l[1]: 2 found");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{\"a\": 1",
                "{\"a\": 1} x",
                "{\"a\": 1, \"a\": 2}",
                "[1]",
                "null",
                "{'a': 1}",
                "{\"a\": NaN}",
                "{\"a\": \"b\nc\"}"
            })
    void refusesWhatIsNotOneObject(String text) {
        assertThatThrownBy(() -> object(text))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith("config.json: ")
                .message()
                .doesNotContain("\n");
    }

    @Test
    void refusesAbsurdNesting() {
        assertThatThrownBy(() -> object("{\"a\": " + "[".repeat(100_000)))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("nesting");
    }

    @Test
    void refusesFilesThatCannotBeRead() throws IOException {
        assertThatThrownBy(() -> Json.readObject(folder.resolve("none.json")))
                .hasMessageEndingWith("none.json: no such file; check the path");
        assertThatThrownBy(() -> Json.readObject(folder)).hasMessageEndingWith(": not a file");
        Path latin = Files.write(folder.resolve("latin.json"), new byte[] {'"', (byte) 0xE9, '"'});
        assertThatThrownBy(() -> Json.readObject(latin)).hasMessageContaining("latin.json: not UTF-8");
    }

    @Test
    void writesAsPythonDoes() {
        assertThat(Json.write(object("{\"a\":[1,2],\"b\":{},\"c\":[],\"d\":{\"e\":null}}")
                        .toNode()))
                .isEqualTo("""
                    {
                      "a": [
                        1,
                        2
                      ],
                      "b": {},
                      "c": [],
                      "d": {
                        "e": null
                      }
                    }\
                    """);
    }
}
