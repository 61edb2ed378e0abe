package dev.graft.train;

import dev.graft.models.sites.Hooks;
import java.util.Map;

/**
 * Scores a model on rows that aren't trained. What to score with is the caller's choice:
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
    /** Metrics by name, {@code loss} among them, in the order to show them. */
    Map<String, Double> evaluate(Hooks hooks);

    /** The mean loss alone. */
    static Evaluation loss(Predictor predictor) {
        return hooks ->
                Map.of("loss", predictor.predict(hooks, prediction -> {}).mean());
    }
}
