package dev.graft.train.log;

import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Stepped;
import java.util.LinkedHashMap;
import java.util.Map;

/** The numbers of an event by the names that TensorBoard groups: {@code train/loss}, {@code eval/accuracy}. */
final class Scalars {

    private Scalars() {}

    static Map<String, Double> of(Stepped stepped) {
        Map<String, Double> scalars = new LinkedHashMap<>();
        scalars.put("train/loss", stepped.loss());
        scalars.put("train/grad_norm", stepped.gradientNorm());
        scalars.put("train/learning_rate", stepped.learningRate());
        scalars.put("train/tokens", (double) stepped.tokens());
        scalars.put("train/tokens_per_s", stepped.tokensPerSecond());
        scalars.put("train/memory_mb", stepped.memoryBytes() / 1048576.0);
        stepped.metrics().forEach((name, value) -> scalars.put("train/" + name, value));
        return scalars;
    }

    static Map<String, Double> of(Evaluated evaluated) {
        Map<String, Double> scalars = new LinkedHashMap<>();
        evaluated.metrics().forEach((name, value) -> scalars.put("eval/" + name, value));
        return scalars;
    }
}
