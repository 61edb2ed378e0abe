package dev.graft.cli.bench;

import dev.graft.cli.bench.Outcome.Figure;
import dev.graft.cli.bench.Outcome.Side;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.cost.Machine;
import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a comparison found, and on what.
 *
 * @param versions of Graft and of the peer
 * @param load processes that wanted a core in the minute before, or null if unknown
 * @param command that was run
 */
record ComparisonReport(
        List<Outcome> outcomes,
        Comparison.Plan plan,
        Machine machine,
        Map<String, String> versions,
        @Nullable Double load,
        String command) {

    private static final List<String> HEADER =
            List.of("", "Graft", "PEFT tuned", "PEFT default", "Graft / tuned", "Graft / default");

    private static final List<String> SUMMARY = List.of(
            "", "tokens/s, Graft / tuned", "Graft / default", "memory, Graft / tuned", "Graft / default", "losses");

    /** A line for each scenario. */
    private List<List<String>> summary() {
        List<List<String>> rows = new ArrayList<>();
        for (Outcome outcome : outcomes) {
            List<String> row = new ArrayList<>(List.of(outcome.scenario().title()));
            for (Figure figure : List.of(Figure.TOKENS, Figure.MEMORY)) {
                for (Side peer : List.of(Side.TUNED, Side.DEFAULT)) {
                    row.add(outcome.ratio(peer, figure).shown(2));
                }
            }
            row.add(
                    outcome.lossesAgree()
                            ? "agree"
                            : outcome.scenario().startsAtRandom() ? "of random starts" : "differ: void");
            rows.add(row);
        }
        return rows;
    }

    String text() {
        StringBuilder text = new StringBuilder();
        if (outcomes.size() > 1) {
            Table table = new Table(SUMMARY.toArray(String[]::new));
            summary().forEach(row -> table.row(row.toArray()));
            text.append(table).append('\n');
        }
        for (Outcome outcome : outcomes) {
            Table table = new Table(HEADER.toArray(String[]::new));
            rows(outcome).forEach(row -> table.row(row.toArray()));
            text.append(outcome.scenario().title()).append('\n').append(table);
            text.append(verdict(outcome)).append("\n\n");
        }
        return text + facts() + "\n";
    }

    /** A piece of PERFORMANCE.md. */
    String markdown() {
        StringBuilder text = new StringBuilder();
        if (outcomes.size() > 1) {
            text.append(line(SUMMARY)).append("|---|---|---|---|---|---|\n");
            summary().forEach(row -> text.append(line(row)));
            text.append('\n');
        }
        for (Outcome outcome : outcomes) {
            text.append("### ").append(outcome.scenario().title()).append("\n\n");
            text.append(line(HEADER)).append("|---|---|---|---|---|---|\n");
            rows(outcome).forEach(row -> text.append(line(row)));
            text.append('\n').append(verdict(outcome)).append("\n\n");
        }
        return text + facts() + "\n\n```\n" + command + "\n```\n";
    }

    private static String line(List<String> cells) {
        return "| " + String.join(" | ", cells) + " |\n";
    }

    private static List<List<String>> rows(Outcome outcome) {
        List<List<String>> rows = new ArrayList<>();
        for (Figure figure : Figure.values()) {
            List<String> row = new ArrayList<>(List.of(figure.title()));
            for (Side side : Side.values()) {
                row.add(outcome.of(side, figure).shown(figure.digits()));
            }
            row.add(outcome.ratio(Side.TUNED, figure).shown(2));
            row.add(outcome.ratio(Side.DEFAULT, figure).shown(2));
            rows.add(row);
        }
        List<String> losses = new ArrayList<>(List.of("loss, first and last step"));
        for (Side side : Side.values()) {
            losses.add(String.format(
                    Locale.ROOT, "%.3f, %.3f", outcome.loss(side, "loss_first"), outcome.loss(side, "loss_last")));
        }
        losses.addAll(List.of("", ""));
        rows.add(losses);
        return rows;
    }

    private static String verdict(Outcome outcome) {
        if (outcome.lossesAgree()) {
            return "The losses of the same batches agree within 2 %.";
        }
        return outcome.scenario().startsAtRandom()
                ? "Each side draws prefixes of its own to start with, so the losses can't be compared."
                : "The losses of the same batches differ by more than 2 %: this comparison is void.";
    }

    private boolean roundsGradients() {
        return outcomes.stream()
                .flatMap(outcome -> outcome.of(Side.GRAFT).stream())
                .anyMatch(round -> round.printed().path("int8_gradients").asBoolean(false));
    }

    private String facts() {
        Long memory = machine.memory().value();
        StringBuilder text = new StringBuilder();
        text.append("LoRA and DoRA have rank 16 on all linear layers, prompts and prefixes 20 positions; ")
                .append(plan.rounds())
                .append(plan.rounds() == 1 ? " round" : " rounds in turns")
                .append(", ")
                .append(plan.steps())
                .append(" steps after ")
                .append(plan.warmup())
                .append(" of warm-up, ")
                .append(plan.threads())
                .append(plan.threads() == 1 ? " thread" : " threads")
                .append("; medians with the smallest and the largest. Graft runs the tuned recipe")
                .append(roundsGradients() ? ", whose gradients go back through frozen layers in int8" : "")
                .append(". The first step is the life of a")
                .append(" process that trains one step. The peer has no settings of malloc.\n\n");
        text.append(String.join(
                "; ",
                List.of(
                        String.valueOf(machine.processor().value()),
                        machine.cores().value() + " cores",
                        memory == null ? "unknown memory" : Figures.bytes(memory),
                        String.join(" ", features()),
                        String.valueOf(machine.operatingSystem().value()),
                        String.valueOf(machine.jvm().value()))));
        versions.forEach(
                (name, version) -> text.append("; ").append(name).append(' ').append(version));
        text.append("; load before: ").append(load == null ? "unknown" : load.toString());
        return text.append('.').toString();
    }

    private List<String> features() {
        List<String> features = machine.features().value();
        return features == null ? List.of("unknown instructions") : features;
    }

    String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("command", command);
        json.put("rounds", plan.rounds());
        json.put("steps", plan.steps());
        json.put("warmup", plan.warmup());
        json.put("threads", plan.threads());
        json.set("machine", machine.toJson());
        ObjectNode known = json.putObject("versions");
        versions.forEach(known::put);
        json.put("load_before", load);
        ArrayNode scenarios = json.putArray("scenarios");
        outcomes.forEach(outcome -> write(outcome, scenarios.addObject()));
        return Json.compact(json);
    }

    private static void write(Outcome outcome, ObjectNode json) {
        json.put("title", outcome.scenario().title());
        json.put("task", outcome.scenario().goal().toString());
        json.put("batch", outcome.scenario().batch());
        json.put("losses_agree", outcome.lossesAgree());
        ObjectNode ratios = json.putObject("ratios");
        for (Figure figure : Figure.values()) {
            ObjectNode ratio = ratios.putObject(figure.field());
            for (Side peer : List.of(Side.TUNED, Side.DEFAULT)) {
                Spread spread = outcome.ratio(peer, figure);
                ratio.putObject(key(peer))
                        .put("median", spread.median())
                        .put("min", spread.least())
                        .put("max", spread.most());
            }
        }
        ObjectNode runs = json.putObject("runs");
        for (Side side : Side.values()) {
            ArrayNode rounds = runs.putArray(key(side));
            for (Outcome.Round round : outcome.of(side)) {
                ObjectNode run = rounds.addObject();
                round.printed().properties().forEach(field -> run.set(field.getKey(), field.getValue()));
                run.put("one_step_process_s", round.firstStepSeconds());
            }
        }
    }

    private static String key(Side side) {
        return side.name().toLowerCase(Locale.ROOT);
    }
}
