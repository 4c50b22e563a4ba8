package io.github.rankine.models.run;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.train.StepMetrics;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.util.OptionalDouble;

/**
 * One step's line in {@code metrics.jsonl}; the fields there have these names with underscores.
 *
 * @param step            its number, from 1
 * @param epoch           epochs of data consumed, with fraction
 * @param loss            mean negative log-likelihood per learned token before the update, in nats
 * @param gradNorm        global norm of the gradient before clipping
 * @param learningRate    of this step
 * @param tokens          tokens that went through the model
 * @param tokensPerSecond of this step
 * @param memoryBytes     memory in use after the step
 * @param evalLoss        loss on the evaluation data after the step, if it was evaluated
 */
public record MetricsEntry(
        int step,
        double epoch,
        double loss,
        double gradNorm,
        double learningRate,
        long tokens,
        double tokensPerSecond,
        long memoryBytes,
        OptionalDouble evalLoss) {

    static MetricsEntry of(StepMetrics metrics, long memoryBytes, OptionalDouble evalLoss) {
        return new MetricsEntry(
                metrics.step(),
                metrics.epoch(),
                metrics.loss(),
                metrics.gradNorm(),
                metrics.learningRate(),
                metrics.tokens(),
                metrics.tokensPerSecond(),
                memoryBytes,
                evalLoss);
    }

    /** @throws io.github.rankine.engine.RankineException when the line is not one of these */
    static MetricsEntry parse(String line, String source) {
        JsonObject json = Json.parseObject(line, source);
        double most = Double.MAX_VALUE;
        return new MetricsEntry(
                json.integer("step", 1, Integer.MAX_VALUE),
                json.number("epoch", 0, most),
                json.number("loss", 0, most),
                json.number("grad_norm", 0, most),
                json.number("learning_rate", 0, most),
                (long) json.number("tokens", 0, Long.MAX_VALUE),
                json.number("tokens_per_second", 0, most),
                (long) json.number("memory_bytes", 0, Long.MAX_VALUE),
                json.has("eval_loss") ? OptionalDouble.of(json.number("eval_loss", 0, most)) : OptionalDouble.empty());
    }

    String toLine() {
        ObjectNode json = Json.mapper().createObjectNode();
        json.put("step", step);
        json.put("epoch", epoch);
        json.put("loss", loss);
        json.put("grad_norm", gradNorm);
        json.put("learning_rate", learningRate);
        json.put("tokens", tokens);
        json.put("tokens_per_second", tokensPerSecond);
        json.put("memory_bytes", memoryBytes);
        evalLoss.ifPresent(value -> json.put("eval_loss", value));
        return json + "\n";
    }
}
