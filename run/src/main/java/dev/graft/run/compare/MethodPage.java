package dev.graft.run.compare;

import dev.graft.eval.compare.Footprint;
import dev.graft.eval.compare.Footprint.Latency;
import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.metrics.Bootstrap.Interval;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The measured part of a method's page in docs/methods: a row for each base, between two marks, where rows of other bases stay, and of this
 * one what wasn't measured now: the score, or the costs.
 *
 * @param base that was compared on, as its row is called
 * @param command that measured it
 * @param lora what costs are relative to, which aren't written without its own; null if it wasn't compared
 * @param frozen the base as it is
 */
record MethodPage(
        String base,
        String command,
        @Nullable MethodResult lora,
        @Nullable MethodResult frozen) {
    private static final String START = "<!-- measured: graft compare --write-pages writes this part -->";
    private static final String END = "<!-- /measured -->";
    private static final String REFERENCE = "\n## Reference\n";
    private static final String HEADER = """
        | base | score | above the frozen base | learning rate | trained | file | step | peak memory | one row |
        |---|---|---|---|---|---|---|---|---|
        """;

    private static final int COLUMNS = 9;

    /** The column of the first cost; before it are the base and its score. */
    private static final int FIRST_COST = 5;

    /** Behind a base's name in the note on what its costs were measured by. */
    private static final String COSTS = ", costs";

    /** Writes the row of a method into its page, if there is one and something was measured; false where nothing was written. */
    boolean write(MethodResult result, Path folder) {
        Path file = folder.resolve(result.method() + ".md");
        if (!Files.exists(file) || !result.hasScore() && result.footprint() == null) {
            return false;
        }
        try {
            AtomicWrite.text(file, page(Files.readString(file), result));
            return true;
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
    }

    String page(String page, MethodResult result) {
        int start = page.indexOf(START);
        int end = page.indexOf(END);
        Map<String, String> rows = new TreeMap<>();
        Map<String, String> notes = new TreeMap<>();
        if (start >= 0 && end > start) {
            page.substring(start, end).lines().forEach(line -> {
                if (line.startsWith("| ") && !line.startsWith("| base |")) {
                    rows.put(line.substring(2).split(" \\| ", 2)[0], line);
                } else if (line.startsWith("- ")) {
                    notes.put(line.substring(2).split(": `", 2)[0], line);
                }
            });
        }
        String before = rows.get(base);
        List<String> known = before == null
                ? Collections.nCopies(COLUMNS, "")
                : List.of(before.substring(2, before.length() - 2).split(" \\| ", -1));
        Footprint cost = result.footprint();
        List<String> cells = new ArrayList<>(List.of(base));
        if (result.hasScore()) {
            cells.addAll(scores(result));
            notes.put(base, note(result));
        } else {
            cells.addAll(known.subList(1, FIRST_COST - 1));
            cells.add(
                    known.get(1).isEmpty() && cost != null
                            ? trained(cost.trainable(), cost.total())
                            : known.get(FIRST_COST - 1));
        }
        if (cost != null && lora != null && lora.footprint() != null) {
            cells.addAll(costs(cost, lora.footprint()));
            notes.put(base + COSTS, costNote(cost));
        } else {
            cells.addAll(known.subList(FIRST_COST, COLUMNS));
        }
        rows.put(base, "| " + String.join(" | ", cells) + " |");
        String part = START + "\n## Measured\n\n" + HEADER + String.join("\n", rows.values()) + "\n\n"
                + "Step, memory and row are times LoRA's.\n\n" + String.join("\n", notes.values()) + "\n" + END + "\n";
        if (start >= 0 && end > start) {
            return page.substring(0, start) + part + page.substring(end + END.length() + 1);
        }
        int reference = page.indexOf(REFERENCE);
        return reference < 0
                ? page.stripTrailing() + "\n\n" + part
                : page.substring(0, reference + 1) + part + page.substring(reference);
    }

    /** The score and what it was got by: the columns behind the base's name. */
    private List<String> scores(MethodResult result) {
        return List.of(
                score(result),
                frozen != null && frozen.hasScore() ? gain(result, frozen) : "",
                String.format(Locale.ROOT, "%.0e", result.learningRate()),
                trained(result.trainable(), result.outcomes().get(0).total()));
    }

    private static String trained(long trainable, long total) {
        return String.format(Locale.ROOT, "%,d (%.3g %%)", trainable, 100.0 * trainable / total);
    }

    /** The columns from {@link #FIRST_COST} on. */
    private static List<String> costs(Footprint cost, Footprint loras) {
        return List.of(
                String.format(Locale.ROOT, "%,d kB", (cost.adapterBytes() + 500) / 1000),
                ratio(cost, loras, Footprint::step),
                ratio(cost, loras, any -> any.memory().peak()),
                ratio(
                                cost,
                                loras,
                                any -> any.adapted() == null ? 0 : any.adapted().p50())
                        + (cost.merged() == null ? "" : "; merged " + ratio(cost, loras, MethodPage::merged)));
    }

    private static double merged(Footprint cost) {
        Latency merged = cost.merged();
        return merged == null ? 0 : merged.p50();
    }

    private interface Amount {
        double of(Footprint cost);
    }

    private static String ratio(Footprint cost, Footprint loras, Amount amount) {
        return amount.of(loras) == 0 ? "" : String.format(Locale.ROOT, "%.2f", amount.of(cost) / amount.of(loras));
    }

    private static String score(MethodResult result) {
        Interval interval = result.interval();
        return String.format(Locale.ROOT, "%s %.3f", result.metric(), result.score())
                + (interval == null
                        ? ""
                        : String.format(Locale.ROOT, " (%.3f … %.3f)", interval.low(), interval.high()));
    }

    private static String gain(MethodResult result, MethodResult frozen) {
        Interval interval = result.differenceTo(frozen);
        return String.format(Locale.ROOT, "%+.3f", result.score() - frozen.score())
                + (interval == null
                        ? ""
                        : String.format(Locale.ROOT, " (%+.3f … %+.3f)", interval.low(), interval.high()));
    }

    private String note(MethodResult result) {
        int seeds = result.outcomes().size();
        String rates = result.searchOutcomes().stream()
                .map(outcome ->
                        String.format(Locale.ROOT, "%.0e", outcome.trial().learningRate()))
                .collect(Collectors.joining(", "));
        return "- " + base + ": `" + command + "`; " + (seeds == 1 ? "one seed" : seeds + " seeds")
                + ", the best of the rates " + rates + " on the validation rows";
    }

    private String costNote(Footprint cost) {
        return "- " + base + COSTS + ": `" + command + " --costs`; " + processor(cost.machine()) + ", " + cost.threads()
                + (cost.threads() == 1 ? " thread" : " threads");
    }

    private static String processor(JsonNode machine) {
        return machine.at("/processor/value").asString("unknown processor");
    }

    /** Returns a page whose rows are relative to LoRA and to the frozen base. */
    static MethodPage of(String base, String command, List<MethodResult> results) {
        return new MethodPage(base, command, find(results, "lora"), find(results, ExperimentSetup.FROZEN));
    }

    /** Returns whether there are costs, but none of LoRA to compare them with. */
    boolean isWithoutLora(List<MethodResult> results) {
        return (lora == null || lora.footprint() == null)
                && results.stream().anyMatch(result -> result.footprint() != null);
    }

    private static @Nullable MethodResult find(List<MethodResult> results, String name) {
        return results.stream()
                .filter(result -> result.method().equals(name))
                .findFirst()
                .orElse(null);
    }
}
