package dev.graft.cli.compare;

import dev.graft.eval.compare.Footprint;
import dev.graft.eval.compare.Footprint.Latency;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.metrics.Bootstrap.Interval;
import dev.graft.formats.AtomicWrite;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
 * @param base that was compared on
 * @param command that measured it
 * @param lora what everything is relative to; null if it wasn't compared
 * @param frozen the base as it is
 */
record MethodPage(
        String base,
        String command,
        @Nullable Standing lora,
        @Nullable Standing frozen) {
    private static final String START = "<!-- measured: graft compare --write-pages writes this part -->";
    private static final String END = "<!-- /measured -->";
    private static final String REFERENCE = "\n## Reference\n";
    private static final String HEADER = """
            | base | score | above the frozen base | learning rate | trained | file | step | peak memory | one row |
            |---|---|---|---|---|---|---|---|---|
            """;

    /** Writes the row of a method into its page, if there is one and something was measured. */
    void write(Standing standing, Path folder) {
        Path file = folder.resolve(standing.method() + ".md");
        if (!Files.exists(file) || !standing.scored() && standing.footprint() == null) {
            return;
        }
        try {
            AtomicWrite.text(file, page(Files.readString(file), standing));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file + ": " + e.getMessage(), e);
        }
    }

    String page(String page, Standing standing) {
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
        List<String> cells = cells(standing);
        String before = rows.get(base);
        if (before != null) {
            List<String> known =
                    List.of(before.substring(2, before.length() - 2).split(" \\| ", -1));
            for (int i = 0; i < Math.min(cells.size(), known.size()); i++) {
                if (cells.get(i).isEmpty()) {
                    cells.set(i, known.get(i));
                }
            }
        }
        rows.put(base, "| " + String.join(" | ", cells) + " |");
        if (standing.scored()) {
            notes.put(base, note(standing));
        }
        Footprint cost = standing.footprint();
        if (cost != null) {
            String costs = base + ", costs";
            notes.put(
                    costs,
                    "- " + costs + ": `" + command + " --costs`; " + processor(cost.machine()) + ", " + cost.threads()
                            + (cost.threads() == 1 ? " thread" : " threads"));
        }
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

    /** What stands in the columns, each empty where it wasn't measured. */
    private List<String> cells(Standing standing) {
        Footprint cost = standing.footprint();
        Footprint loras = lora == null ? null : lora.footprint();
        boolean scored = standing.scored();
        long trainable = scored ? standing.trainable() : cost == null ? 0 : cost.trainable();
        double percent =
                scored ? standing.trainablePercent() : cost == null ? 0 : 100.0 * cost.trainable() / cost.total();
        String row = ratio(
                cost, loras, any -> any.adapted() == null ? 0 : any.adapted().p50());
        String merged =
                cost == null || cost.merged() == null ? "" : "; merged " + ratio(cost, loras, MethodPage::merged);
        return new ArrayList<>(List.of(
                base,
                scored ? score(standing) : "",
                scored && frozen != null && frozen.scored() ? gain(standing, frozen) : "",
                scored ? String.format(Locale.ROOT, "%.0e", standing.rate()) : "",
                String.format(Locale.ROOT, "%,d (%.3g %%)", trainable, percent),
                cost == null ? "" : String.format(Locale.ROOT, "%,d kB", (cost.adapterBytes() + 500) / 1000),
                ratio(cost, loras, Footprint::step),
                ratio(cost, loras, any -> any.memory().peak()),
                row + merged));
    }

    private static double merged(Footprint cost) {
        Latency merged = cost.merged();
        return merged == null ? 0 : merged.p50();
    }

    private interface Amount {
        double of(Footprint cost);
    }

    private static String ratio(@Nullable Footprint cost, @Nullable Footprint loras, Amount amount) {
        return cost == null || loras == null || amount.of(loras) == 0
                ? ""
                : String.format(Locale.ROOT, "%.2f", amount.of(cost) / amount.of(loras));
    }

    private static String score(Standing standing) {
        Interval interval = standing.interval();
        return String.format(Locale.ROOT, "%s %.3f", standing.metric(), standing.score())
                + (interval == null
                        ? ""
                        : String.format(Locale.ROOT, " (%.3f … %.3f)", interval.low(), interval.high()));
    }

    private static String gain(Standing standing, Standing frozen) {
        Interval interval = standing.above(frozen);
        return String.format(Locale.ROOT, "%+.3f", standing.score() - frozen.score())
                + (interval == null
                        ? ""
                        : String.format(Locale.ROOT, " (%+.3f … %+.3f)", interval.low(), interval.high()));
    }

    private String note(Standing standing) {
        int seeds = standing.outcomes().size();
        String rates = standing.searched().stream()
                .map(outcome ->
                        String.format(Locale.ROOT, "%.0e", outcome.trial().rate()))
                .collect(Collectors.joining(", "));
        return "- " + base + ": `" + command + "`; " + (seeds == 1 ? "one seed" : seeds + " seeds")
                + ", the best of the rates " + rates + " on the validation rows";
    }

    private static String processor(JsonNode machine) {
        return machine.at("/processor/value").asString("unknown processor");
    }

    /** What a method's row is relative to. */
    static MethodPage of(String base, String command, List<Standing> standings) {
        return new MethodPage(base, command, find(standings, "lora"), find(standings, Workbench.FROZEN));
    }

    private static @Nullable Standing find(List<Standing> standings, String name) {
        return standings.stream()
                .filter(standing -> standing.method().equals(name))
                .findFirst()
                .orElse(null);
    }
}
