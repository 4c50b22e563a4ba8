package io.github.rankine.cli;

import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.lora.LinearShape;
import io.github.rankine.engine.nn.Decoder;
import io.github.rankine.engine.train.Evaluation;
import io.github.rankine.models.data.Dataset;
import io.github.rankine.models.family.CausalLanguageModel;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/** Losses of a base, of what is extracted from its fine-tune at rising ranks, and of the fine-tune itself. */
final class LossByRank {
    private final Decoder base;
    private final Decoder tuned;
    private final TunedPair pair;
    private final Extraction extraction;
    private final Kernels kernels;
    private final int batchSize;
    private final Terminal terminal;

    /**
     * One line of the table.
     *
     * @param name       what was measured
     * @param rank       of an extraction
     * @param energy     share of the update that it keeps
     * @param parameters of the adapter, or 0
     * @param loss       mean negative log-likelihood per token of the training data
     * @param evalLoss   the same of held-out data
     */
    record Row(
            String name,
            OptionalInt rank,
            OptionalDouble energy,
            long parameters,
            OptionalDouble loss,
            OptionalDouble evalLoss) {
        /** How much worse held-out data are predicted: what was learned by heart. */
        OptionalDouble gap() {
            return loss.isPresent() && evalLoss.isPresent()
                    ? OptionalDouble.of(evalLoss.getAsDouble() - loss.getAsDouble())
                    : OptionalDouble.empty();
        }
    }

    LossByRank(
            CausalLanguageModel base,
            CausalLanguageModel tuned,
            TunedPair pair,
            Extraction extraction,
            Kernels kernels,
            int batchSize,
            Terminal terminal) {
        this.base = base.decoder();
        this.tuned = tuned.decoder();
        this.pair = pair;
        this.extraction = extraction;
        this.kernels = kernels;
        this.batchSize = batchSize;
        this.terminal = terminal;
    }

    /**
     * Measures every line.
     *
     * @param chosen the ranks of the adapter that was written
     * @param beside whether the fine-tune changed more than linear layers, so that those alone have a line of their own
     */
    List<Row> measure(Map<String, Integer> chosen, Samples samples, boolean beside) {
        int highest = chosen.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
        List<Map<String, Integer>> extractions = new ArrayList<>();
        for (int rank = 1; rank < highest; rank *= 2) {
            extractions.add(extraction.ranks(rank));
        }
        extractions.add(chosen);
        List<Row> rows = new ArrayList<>();
        try (Progress progress = Progress.of(terminal, "evaluation", 0, extractions.size() + (beside ? 3 : 2))) {
            base.activate();
            rows.add(row("base", base, samples));
            progress.update(rows.size(), "base");
            for (Map<String, Integer> ranks : extractions) {
                rows.add(extracted(ranks, samples));
                progress.update(rows.size(), rows.getLast().name());
            }
            if (beside) {
                base.replace(pair.modules().stream().collect(Collectors.toMap(LinearShape::name, pair::after)));
                rows.add(row("linear layers in full", base, samples));
                progress.update(rows.size(), rows.getLast().name());
            }
            rows.add(row("full fine-tune", tuned, samples));
            progress.update(rows.size(), rows.getLast().name());
        } finally {
            base.unmerge();
            base.activate();
        }
        return rows;
    }

    private Row extracted(Map<String, Integer> ranks, Samples samples) {
        try (Arena arena = Arena.ofShared()) {
            base.activate(extraction.adapter(ranks, base.shape(), arena));
            int rank = ranks.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
            Row row = row("rank " + rank, base, samples);
            return new Row(
                    row.name(),
                    OptionalInt.of(rank),
                    OptionalDouble.of(extraction.energy(ranks)),
                    extraction.parameters(ranks),
                    row.loss(),
                    row.evalLoss());
        }
    }

    private Row row(String name, Decoder decoder, Samples samples) {
        return new Row(
                name,
                OptionalInt.empty(),
                OptionalDouble.empty(),
                0,
                loss(decoder, samples.training()),
                loss(decoder, samples.heldOut()));
    }

    private OptionalDouble loss(Decoder decoder, Dataset data) {
        return data == null
                ? OptionalDouble.empty()
                : OptionalDouble.of(Evaluation.of(decoder, kernels, data.samples(), batchSize)
                        .loss());
    }
}
