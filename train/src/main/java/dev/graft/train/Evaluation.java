package dev.graft.train;

import dev.graft.models.sites.Hooks;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Scores a model on held-out rows during training. The metrics are the caller's choice:
 *
 * <pre>{@code
 * Evaluation evaluation = hooks -> {
 *     var metrics = MetricSet.classification(classes);
 *     Loss loss = predictor.predict(hooks, p -> metrics.update(...));
 *     var values = new LinkedHashMap<>(Map.of("loss", loss.mean()));
 *     values.putAll(metrics.values());
 *     return values;
 * };
 * }</pre>
 */
@FunctionalInterface
public interface Evaluation {
    /**
     * Returns metrics by name, {@code loss} among them, in the order to show them.
     *
     * @throws java.util.concurrent.CancellationException if it was interrupted; a resumed run repeats the evaluation
     */
    Map<String, Double> evaluate(Hooks hooks);

    /** Returns the {@link Predictor#digest} of the rows, which a resumed run compares; null if unknown. */
    default @Nullable String digest() {
        return null;
    }

    /** Creates an evaluation that reports the mean loss alone. */
    static Evaluation loss(Predictor predictor) {
        return of(
                predictor,
                hooks -> Map.of(
                        "loss", predictor.predict(hooks, prediction -> {}).mean()));
    }

    /** Adds the digest of a predictor's rows to an evaluation on them. */
    static Evaluation of(Predictor predictor, Evaluation evaluation) {
        String digest = predictor.digest();
        return new Evaluation() {
            @Override
            public Map<String, Double> evaluate(Hooks hooks) {
                return evaluation.evaluate(hooks);
            }

            @Override
            public String digest() {
                return digest;
            }
        };
    }
}
