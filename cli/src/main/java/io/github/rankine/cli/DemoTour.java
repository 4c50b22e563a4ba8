package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LoraAdapter;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.models.bundled.BundledModel;
import io.github.rankine.models.bundled.DemoTask;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.run.RunFolder;
import io.github.rankine.models.tokenizer.Tokenizer;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;

/** The demo from its first chapter to its last. */
final class DemoTour {
    /** The base model's folder in the demo's. */
    static final String MODEL = "model";

    /** What the base must not know, and what an adapter must. */
    private static final double BASE_AT_MOST = 0.05;

    private static final double ADAPTER_ABOVE = 0.9;
    private static final int SHOWN = 3;

    /** Of each task's held-out examples: some beforehand and afterwards, one while swapping, one as a prompt to try. */
    static final int EXAMPLES_SHOWN = SHOWN + 2;

    private static final int SPEED_ROUNDS = 3;

    private final Path folder;
    private final CausalLanguageModel model;
    private final Decoder decoder;
    private final Tokenizer tokenizer;
    private final Kernels kernels;
    private final Terminal terminal;
    private final DemoReport report;
    private final DemoExam exam;
    private final DemoLesson first;
    private final DemoLesson second;

    /** An adapter and its answers to the held-out examples. */
    private record Learned(LoraAdapter adapter, List<String> answers) {}

    DemoTour(
            Path folder,
            CausalLanguageModel model,
            Tokenizer tokenizer,
            Kernels kernels,
            Terminal terminal,
            DemoReport report,
            int steps,
            int heldOut) {
        this.folder = folder;
        this.model = model;
        this.decoder = model.decoder();
        this.tokenizer = tokenizer;
        this.kernels = kernels;
        this.terminal = terminal;
        this.report = report;
        exam = new DemoExam(decoder, tokenizer, kernels);
        first = new DemoLesson(DemoTask.RECORD, folder, steps, heldOut);
        second = new DemoLesson(DemoTask.ROBOT, folder, steps, heldOut);
    }

    void run() {
        long start = System.nanoTime();
        String checksum = Checksum.sha256(weights());
        introduce(checksum);
        try (Arena arena = Arena.ofShared()) {
            Learned record = teach(first, "A task that the model cannot do", arena);
            Learned robot = teach(second, "Another task, another adapter, the same base", arena);
            swap(record, robot);
            merge(record);
        }
        compare(checksum);
        tellWhereThingsAre();
        report.say(format("%nDone in %.0f seconds.", (System.nanoTime() - start) * 1e-9));
    }

    private Path weights() {
        return folder.resolve(MODEL).resolve(BundledModel.WEIGHTS);
    }

    private void introduce(String checksum) {
        report.chapter("The base model");
        report.say("A very small language model comes with Rankine, which made it of text that it makes up itself: "
                + Figures.count(elements(decoder.parameters())) + " parameters,");
        report.say(
                "Llama architecture. It knows some 500 words and how little stories and questions go. Its weights stay"
                        + " frozen from here on.");
        report.say("SHA-256 of " + weights() + ": " + checksum);
    }

    private Learned teach(DemoLesson lesson, String title, Arena arena) {
        report.chapter(title);
        decoder.activate();
        DemoExam.Answers before = exam.take(lesson.heldOut());
        report.say("'" + lesson.name() + "': " + lesson.description() + ".");
        report.say("What the base makes of examples that are held out of training:");
        for (int i = 0; i < SHOWN; i++) {
            show(lesson.heldOut().get(i), before.texts().get(i));
        }
        report.say("The base answers " + before.score() + " held-out examples right, letter for letter.");
        report.say("Now an adapter is trained on the examples in " + lesson.trainingFile() + ".");
        DemoLesson.Outcome outcome = lesson.learn(model, tokenizer, kernels, arena, terminal);
        DemoExam.Answers after = exam.take(lesson.heldOut());
        long trainable = elements(outcome.adapter().parameters());
        long all = trainable + elements(decoder.parameters());
        report.say(format(
                "%d steps over %s tokens took %.1f seconds (%,.0f tokens/s); the last loss is %.4f.",
                outcome.last().step(),
                Figures.count(outcome.tokens()),
                outcome.seconds(),
                outcome.tokens() / outcome.seconds(),
                outcome.last().loss()));
        report.say("Trained: " + Figures.exact(trainable) + " of " + Figures.exact(all) + " parameters, "
                + Figures.share(trainable, all) + ".");
        report.say("Memory planned for training: " + MemoryReport.line(outcome.plan()) + ".");
        report.say("Memory in use, Java itself included: "
                + Figures.bytes(outcome.last().memoryBytes()) + ".");
        for (int i = 0; i < SHOWN; i++) {
            show(lesson.heldOut().get(i), after.texts().get(i));
        }
        report.say("With the adapter, " + after.score() + " held-out examples are right.");
        report.require(
                before.share() <= BASE_AT_MOST,
                "the base alone answers " + before.score() + " examples of '" + lesson.name() + "'");
        report.require(
                after.share() > ADAPTER_ABOVE,
                "the adapter '" + lesson.name() + "' answers " + after.score() + " examples, not over 90 %");
        report.figures()
                .putObject(lesson.name())
                .put("base_accuracy", before.share())
                .put("accuracy", after.share())
                .put("examples", lesson.heldOut().size())
                .put("loss", outcome.last().loss())
                .put("tokens", outcome.tokens())
                .put("seconds", outcome.seconds())
                .put("trainable_parameters", trainable)
                .put("all_parameters", all)
                .put("planned_memory_bytes", outcome.plan().total())
                .put("memory_bytes", outcome.last().memoryBytes());
        return new Learned(outcome.adapter(), after.texts());
    }

    private void show(DemoTask.Example example, String answer) {
        report.say("    " + example.prompt());
        report.say("       wanted: " + example.completion().strip());
        report.say("       answer: " + answer.strip().replace('\n', ' '));
    }

    /** Both adapters lie over the one base in memory; activating one touches no weight. */
    private void swap(Learned record, Learned robot) {
        report.chapter("Swapping adapters over the base in memory");
        List<DemoTask.Example> asked =
                List.of(first.heldOut().get(SHOWN), second.heldOut().get(SHOWN));
        answerBoth("the base alone", asked);
        answerBoth(first.name(), asked, record.adapter());
        answerBoth(second.name(), asked, robot.adapter());
        long start = System.nanoTime();
        decoder.activate(record.adapter());
        double micros = (System.nanoTime() - start) * 1e-3;
        boolean same = exam.take(first.heldOut()).texts().equals(record.answers());
        report.say(format("Swapping takes %.0f microseconds. Back at '%s', ", micros, first.name())
                + (same ? "every answer is what it was before." : "some answers have changed."));
        report.require(same, "answers changed by swapping adapters");
        report.figures().put("swap_seconds", micros * 1e-6);
    }

    private void answerBoth(String name, List<DemoTask.Example> asked, LoraAdapter... adapters) {
        decoder.activate(adapters);
        report.say("    " + name + ":");
        for (DemoTask.Example example : asked) {
            report.say(
                    "       " + example.prompt() + exam.answer(example.prompt()).replace('\n', ' '));
        }
    }

    private void merge(Learned learned) {
        report.chapter("Merging an adapter into the weights");
        LoraAdapter adapter = learned.adapter();
        decoder.merge(kernels, adapter);
        List<String> merged = exam.take(first.heldOut()).texts();
        boolean same = merged.equals(learned.answers());
        report.say("'" + first.name() + "' is added to a copy of the weights, in float32. "
                + (same
                        ? "The answers to all " + merged.size() + " held-out examples are the same."
                        : "Some answers differ."));
        report.require(same, "the merged model answers otherwise than base and adapter");
        double base = 0;
        double adapted = 0;
        double together = 0;
        // In turns, and the best of each: what else the machine does meanwhile should not decide.
        for (int round = 0; round < SPEED_ROUNDS; round++) {
            decoder.merge(kernels, adapter);
            together = Math.max(together, exam.tokensPerSecond(first.heldOut()));
            decoder.unmerge();
            decoder.activate();
            base = Math.max(base, exam.tokensPerSecond(first.heldOut()));
            decoder.activate(adapter);
            adapted = Math.max(adapted, exam.tokensPerSecond(first.heldOut()));
        }
        decoder.activate();
        report.say(format(
                "Tokens per second: %,.0f base alone, %,.0f base and adapter, %,.0f merged.", base, adapted, together));
        report.figures()
                .putObject("tokens_per_second")
                .put("base", base)
                .put("adapter", adapted)
                .put("merged", together);
    }

    private void compare(String before) {
        report.chapter("The base, after all that");
        String after = Checksum.sha256(weights());
        boolean same = after.equals(before);
        report.say("SHA-256 of " + weights() + ": " + after);
        report.say(same ? "Unchanged." : "It was " + before + " before.");
        report.require(same, "the base's weights changed");
        report.figures().put("base_sha256_before", before).put("base_sha256_after", after);
    }

    private void tellWhereThingsAre() {
        report.chapter("What there is now, and what to try next");
        report.say("    " + folder.resolve(MODEL) + ": the base, a checkpoint as Hugging Face has them");
        for (DemoLesson lesson : List.of(first, second)) {
            report.say("    " + lesson.adapterFolder() + ": an adapter that PEFT loads, its " + RunFolder.LOSS_PICTURE
                    + " and " + RunFolder.METRICS);
            report.say("    " + lesson.trainingFile() + ", " + lesson.heldOutFile() + ": its examples");
        }
        DemoTask.Example example = second.heldOut().get(SHOWN + 1);
        String base = " --model " + DemoShell.quoted(folder.resolve(MODEL));
        String record = " --adapter " + DemoShell.quoted(first.adapterFolder());
        String robot = " --adapter " + DemoShell.quoted(second.adapterFolder());
        report.say("Ask it yourself, in words like those above:");
        report.say("    " + DemoShell.rankine() + " generate" + base + robot + " --prompt "
                + DemoShell.quoted(example.prompt()));
        report.say("Let the base tell a story:");
        report.say("    " + DemoShell.rankine() + " generate" + base
                + " --chat --temperature 0.7 --prompt 'Tell me a story.'");
        report.say("Measure an adapter, and merge it into a checkpoint of its own:");
        report.say("    " + DemoShell.rankine() + " evaluate" + base + record + " --data "
                + DemoShell.quoted(first.heldOutFile()));
        report.say("    " + DemoShell.rankine() + " merge" + base + record + " --output "
                + DemoShell.quoted(folder.resolve("merged")));
        report.say("Train it again, with the same outcome bit for bit:");
        report.say("    " + DemoShell.rankine() + " finetune" + base + " --data "
                + DemoShell.quoted(first.trainingFile()) + " --output " + DemoShell.quoted(folder.resolve("again"))
                + " " + first.finetuneOptions()
                + (kernels.name().equals("vector") ? "" : " --kernels " + kernels.name()));
    }

    private static long elements(Collection<Parameter> parameters) {
        return parameters.stream()
                .mapToLong(parameter -> parameter.value().size())
                .sum();
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
