package io.github.rankine.models.bundled;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.rankine.models.json.Json;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DemoTaskTest {
    /** The words of 2, 3 and so on. */
    private static final List<String> DIGITS = List.of("two", "three", "four", "five", "six", "seven", "eight", "nine");

    @ParameterizedTest
    @EnumSource
    void noHeldOutAnswerIsAmongTheTrainingAnswers(DemoTask task) {
        Set<String> learned = new HashSet<>();
        task.training(5_000, 1).forEach(example -> learned.add(example.completion()));
        assertThat(task.heldOut(500, 1))
                .hasSize(500)
                .doesNotHaveDuplicates()
                .noneMatch(example -> learned.contains(example.completion()));
    }

    @Test
    void heldOutRecordsPairPeopleAndThingsThatTrainingNeverPairs() {
        Pattern record = Pattern.compile(" (\\w+) \\w+ \\d \\w+ (\\w+), \\w+");
        Set<String> learned = new HashSet<>();
        for (DemoTask.Example example : DemoTask.RECORD.training(5_000, 3)) {
            learned.add(pair(record, example));
        }
        assertThat(learned).hasSizeGreaterThan(1_000);
        assertThat(DemoTask.RECORD.heldOut(500, 4)).noneMatch(example -> learned.contains(pair(record, example)));
    }

    private static String pair(Pattern record, DemoTask.Example example) {
        Matcher matcher = record.matcher(example.completion());
        assertThat(matcher.matches()).as(example.completion()).isTrue();
        return matcher.group(1) + ' ' + matcher.group(2);
    }

    @Test
    void aRecordSaysInItsOrderWhatThePromptSaysInAnother() {
        Set<Integer> placesOfTheHero = new HashSet<>();
        for (DemoTask.Example example : DemoTask.RECORD.training(500, 5)) {
            assertThat(example.prompt()).endsWith(". Record:");
            List<String> words = List.of(example.completion().strip().split(",? "));
            assertThat(words).hasSize(6);
            String number = DIGITS.get(Integer.parseInt(words.get(2)) - 2);
            assertThat(example.prompt())
                    .contains(words.get(0))
                    .containsIgnoringCase(
                            number + " " + words.get(3) + " " + words.get(4).substring(0, 2))
                    .containsIgnoringCase("in the " + words.get(5));
            placesOfTheHero.add(List.of(example.prompt().split("[ .]")).indexOf(words.getFirst()));
        }
        assertThat(placesOfTheHero).hasSizeGreaterThan(2);
    }

    @Test
    void aRobotGoesWhereTheThingsAreFirst() {
        Pattern wish = Pattern.compile("Please bring (\\w+) (\\w+) (\\w+) from the (\\w+)( to (\\w+))?\\. Robot:");
        int wishes = 0;
        int gifts = 0;
        for (DemoTask.Example example : DemoTask.ROBOT.training(500, 6)) {
            Matcher matcher = wish.matcher(example.prompt());
            if (matcher.matches()) {
                boolean gift = matcher.group(6) != null;
                assertThat(example.completion())
                        .startsWith(" go " + matcher.group(4) + "; take " + (DIGITS.indexOf(matcher.group(1)) + 2) + " "
                                + matcher.group(2) + " " + matcher.group(3).substring(0, 2))
                        .endsWith(gift ? "; give " + matcher.group(6) : "; come back");
                wishes += gift ? 0 : 1;
                gifts += gift ? 1 : 0;
            }
        }
        assertThat(wishes).isGreaterThan(30);
        assertThat(gifts).isGreaterThan(30);
    }

    @Test
    void anExampleIsALineOfAPromptCompletionDataSet() {
        DemoTask.Example example = DemoTask.ROBOT.training(1, 1).getFirst();
        assertThat(example.toJson()).doesNotContain("\n");
        assertThat(Json.parse(example.toJson(), "example").get("prompt").textValue())
                .isEqualTo(example.prompt());
        assertThat(Json.parse(example.toJson(), "example").get("completion").textValue())
                .isEqualTo(example.completion());
    }
}
