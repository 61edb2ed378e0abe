package dev.graft.eval.compare;

import dev.graft.eval.compare.Footprint.Latency;
import dev.graft.eval.compare.Footprint.Modularity;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The survey's two tables, filled by measurement: numbers, the band of each, and whether the survey agrees. The bands of memory and speed
 * are relative to full fine-tuning, so without it there are none.
 */
public final class SurveyTables {
    /** The definition of the bands, as text. */
    public static final String BANDS =
            "Shares are of all parameters of base and adapter, embeddings included, tied ones counted once: over 50 %"
                    + " is all, from 5 % high, from 1 % moderate, from 0.1 % low. A row costs nothing up to 1.05 times the"
                    + " base alone, little up to 1.25, moderately up to 1.5. Memory is what training needs beside the base"
                    + " (gradients, moments, activations): very low up to a tenth of full fine-tuning's, low up to 0.4,"
                    + " moderate up to 0.75. A step is very fast up to half of full fine-tuning's time, fast up to 0.75,"
                    + " moderate up to 1. Where the survey says nothing the column is empty.";

    /** The columns of the survey's first table. */
    public static final List<String> FIRST = List.of(
            "method",
            "trained",
            "the survey",
            "time of a row, beside the base",
            "the survey",
            "time of a row, merged",
            "detaches, swaps, stands beside others, reloads",
            "the survey");

    private final List<MethodResult> results;
    private final String metric;
    private final @Nullable Footprint full;

    public SurveyTables(List<MethodResult> results, String metric) {
        this.results = results.stream()
                .filter(result ->
                        result.footprint() != null && result.footprint().trainable() > 0)
                .toList();
        this.metric = metric;
        this.full = results.stream()
                .filter(result -> result.method().equals("full-fine-tuning"))
                .map(MethodResult::footprint)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    /** Returns whether no cost was measured. */
    public boolean isEmpty() {
        return results.isEmpty();
    }

    /** Returns the columns of the survey's second table. */
    public List<String> second() {
        return List.of(
                "method",
                "trained",
                "file, MB",
                "peak memory, MB",
                "gradients and moments, MB",
                "activations, MB",
                "memory",
                "the survey",
                "step, ms",
                "tokens/s",
                "speed",
                "the survey",
                "row, ms (half, 95 %)",
                metric);
    }

    /** Returns the rows of the table with the columns {@link #FIRST}. */
    public List<List<String>> shares() {
        return rows((result, cost) -> {
            SurveyEntry survey = SurveyEntry.of(result.method());
            Modularity module = cost.modularity();
            double percent = 100.0 * cost.trainable() / cost.total();
            double ratio = cost.adapted() == null
                    ? Double.NaN
                    : cost.adapted().p50() / cost.frozen().p50();
            return List.of(
                    result.method(),
                    (percent >= 99.95 ? "100" : String.format(Locale.ROOT, "%.2g", percent)) + " % (" + share(percent)
                            + ")",
                    survey == null ? "" : survey.share(percent),
                    Double.isNaN(ratio) ? "" : times(ratio) + " (" + inference(ratio) + ")",
                    survey == null || Double.isNaN(ratio) ? "" : survey.inference(inference(ratio)),
                    cost.merged() == null ? "can't be merged" : ratio(cost.merged(), cost.frozen()),
                    module == null ? "" : module.all() ? "yes" : missing(module),
                    survey == null || module == null ? "" : survey.modular(module.all()));
        });
    }

    /** Returns the rows of the table with the columns {@link #second}. */
    public List<List<String>> costs() {
        return rows((result, cost) -> {
            SurveyEntry survey = SurveyEntry.of(result.method());
            String memory = band(cost, SurveyTables::training, SurveyTables::memory);
            String speed = band(cost, Footprint::step, SurveyTables::speed);
            Latency row = cost.adapted();
            return List.of(
                    result.method(),
                    String.format(Locale.ROOT, "%,d", cost.trainable()),
                    megabytes(cost.adapterBytes()),
                    megabytes(cost.memory().peak()),
                    megabytes(cost.memory().gradients() + cost.memory().optimiser()),
                    megabytes(cost.memory().activations()),
                    memory,
                    survey == null || memory.isEmpty() ? "" : survey.memory(word(memory)),
                    String.format(Locale.ROOT, "%.1f", 1000 * cost.step()),
                    String.format(Locale.ROOT, "%.0f", cost.tokensPerSecond()),
                    speed,
                    survey == null || speed.isEmpty() ? "" : survey.speed(word(speed)),
                    row == null ? "" : String.format(Locale.ROOT, "%.1f / %.1f", 1000 * row.p50(), 1000 * row.p95()),
                    result.hasScore() ? String.format(Locale.ROOT, "%.4f", result.score()) : "");
        });
    }

    private interface RowValues {
        List<String> of(MethodResult result, Footprint cost);
    }

    private List<List<String>> rows(RowValues line) {
        List<List<String>> rows = new ArrayList<>();
        for (MethodResult result : results) {
            Footprint cost = result.footprint();
            if (cost != null) {
                rows.add(line.of(result, cost));
            }
        }
        return rows;
    }

    /** {@code 0.43 × (moderate)}, beside full fine-tuning; empty where that wasn't measured, and for itself. */
    private String band(Footprint cost, Function<Footprint, Double> amount, Function<Double, String> word) {
        if (full == null || cost == full || amount.apply(full) <= 0) {
            return "";
        }
        double ratio = amount.apply(cost) / amount.apply(full);
        return times(ratio) + " (" + word.apply(ratio) + ")";
    }

    private static String word(String band) {
        return band.substring(band.indexOf('(') + 1, band.length() - 1);
    }

    private static double training(Footprint cost) {
        return cost.memory().gradients()
                + cost.memory().optimiser()
                + cost.memory().activations();
    }

    private static String share(double percent) {
        return percent > 50
                ? "all"
                : percent >= 5 ? "high" : percent >= 1 ? "moderate" : percent >= 0.1 ? "low" : "very low";
    }

    static String inference(double ratio) {
        return ratio <= 1.05 ? "none" : ratio <= 1.25 ? "low" : ratio <= 1.5 ? "moderate" : "high";
    }

    static String memory(double ratio) {
        return ratio <= 0.1 ? "very low" : ratio <= 0.4 ? "low" : ratio <= 0.75 ? "moderate" : "high";
    }

    static String speed(double ratio) {
        return ratio <= 0.5 ? "very fast" : ratio <= 0.75 ? "fast" : ratio <= 1 ? "moderate" : "slow";
    }

    private static String missing(Modularity module) {
        List<String> lacks = new ArrayList<>();
        if (!module.detaches()) {
            lacks.add("detach");
        }
        if (!module.swaps()) {
            lacks.add("swap");
        }
        if (!module.besides()) {
            lacks.add("stand beside others");
        }
        if (!module.reloads()) {
            lacks.add("reload");
        }
        return "doesn't " + String.join(", ", lacks);
    }

    private static String ratio(Latency latency, Latency frozen) {
        return times(latency.p50() / frozen.p50());
    }

    private static String times(double ratio) {
        return String.format(Locale.ROOT, "%.2f ×", ratio);
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / 1e6);
    }
}
