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
        Pattern record = Pattern.compile(" who: (\\w+); .*; what: \\w+ (\\w+); .*");
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
    void everyPartOfARecordIsSaidInItsPrompt() {
        for (DemoTask.Example example : DemoTask.RECORD.training(500, 5)) {
            assertThat(example.prompt()).endsWith("\nRecord:");
            for (String field : example.completion().split("; ")) {
                String value = field.substring(field.indexOf(": ") + 2);
                if (!field.startsWith("did")) {
                    assertThat(example.prompt()).contains(value);
                }
            }
        }
    }

    @Test
    void aRobotGoesWhereTheThingsAreFirst() {
        Pattern wish = Pattern.compile("Please bring (\\w+) (\\w+) (\\w+) from the (\\w+) to the (\\w+)\\.\nRobot:");
        List<String> digits = List.of("two", "three", "four", "five", "six", "seven", "eight", "nine");
        int seen = 0;
        for (DemoTask.Example example : DemoTask.ROBOT.training(500, 6)) {
            Matcher matcher = wish.matcher(example.prompt());
            if (matcher.matches()) {
                seen++;
                assertThat(example.completion())
                        .startsWith(" go " + matcher.group(4) + "; take " + (digits.indexOf(matcher.group(1)) + 2) + " "
                                + matcher.group(2) + " " + matcher.group(3).substring(0, 2))
                        .endsWith("; go " + matcher.group(5) + "; drop");
            }
        }
        assertThat(seen).isGreaterThan(30);
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
