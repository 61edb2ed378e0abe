package dev.graft.run.bench;

import dev.graft.eval.cost.Machine;
import dev.graft.formats.Json;
import dev.graft.run.bench.ScenarioResult.Measure;
import dev.graft.run.bench.ScenarioResult.Side;
import dev.graft.run.progress.UnitFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The figures of a comparison and the conditions of the measurement.
 *
 * @param versions the versions of Graft and of PEFT
 * @param load the load average of the minute before; null if unknown
 * @param command the command that was run
 */
public record PeftComparisonReport(
        List<ScenarioResult> outcomes,
        PeftComparison.Plan plan,
        Machine machine,
        Map<String, String> versions,
        @Nullable Double load,
        String command) {

    /** The header of a scenario's table. */
    public static final List<String> HEADER =
            List.of("", "Graft", "PEFT tuned", "PEFT default", "Graft / tuned", "Graft / default");

    /** The header of the table of all scenarios. */
    public static final List<String> SUMMARY = List.of(
            "", "tokens/s, Graft / tuned", "Graft / default", "memory, Graft / tuned", "Graft / default", "losses");

    /** Returns a line for each scenario. */
    public List<List<String>> summary() {
        List<List<String>> rows = new ArrayList<>();
        for (ScenarioResult scenarioResult : outcomes) {
            List<String> row = new ArrayList<>(List.of(scenarioResult.scenario().title()));
            for (Measure figure : List.of(Measure.TOKENS, Measure.MEMORY)) {
                for (Side peer : List.of(Side.TUNED, Side.DEFAULT)) {
                    row.add(scenarioResult.ratio(peer, figure).format(2));
                }
            }
            row.add(
                    scenarioResult.lossesAgree()
                            ? "agree"
                            : scenarioResult.scenario().startsAtRandom() ? "of random starts" : "differ: void");
            rows.add(row);
        }
        return rows;
    }

    /** Returns the section of PERFORMANCE.md. */
    public String markdown() {
        StringBuilder text = new StringBuilder();
        if (outcomes.size() > 1) {
            text.append(line(SUMMARY)).append("|---|---|---|---|---|---|\n");
            summary().forEach(row -> text.append(line(row)));
            text.append('\n');
        }
        for (ScenarioResult scenarioResult : outcomes) {
            text.append("### ").append(scenarioResult.scenario().title()).append("\n\n");
            text.append(line(HEADER)).append("|---|---|---|---|---|---|\n");
            rows(scenarioResult).forEach(row -> text.append(line(row)));
            text.append('\n').append(verdict(scenarioResult)).append("\n\n");
        }
        return text + facts() + "\n\n```\n" + command + "\n```\n";
    }

    private static String line(List<String> cells) {
        return "| " + String.join(" | ", cells) + " |\n";
    }

    /** Returns a line for each measure of a scenario. */
    public static List<List<String>> rows(ScenarioResult scenarioResult) {
        List<List<String>> rows = new ArrayList<>();
        for (Measure figure : Measure.values()) {
            List<String> row = new ArrayList<>(List.of(figure.title()));
            for (Side side : Side.values()) {
                row.add(scenarioResult.of(side, figure).format(figure.digits()));
            }
            row.add(scenarioResult.ratio(Side.TUNED, figure).format(2));
            row.add(scenarioResult.ratio(Side.DEFAULT, figure).format(2));
            rows.add(row);
        }
        List<String> losses = new ArrayList<>(List.of("loss, first and last step"));
        for (Side side : Side.values()) {
            losses.add(String.format(
                    Locale.ROOT,
                    "%.3f, %.3f",
                    scenarioResult.loss(side, "loss_first"),
                    scenarioResult.loss(side, "loss_last")));
        }
        losses.addAll(List.of("", ""));
        rows.add(losses);
        return rows;
    }

    /** Returns whether both sides did the same work, as a sentence. */
    public static String verdict(ScenarioResult scenarioResult) {
        if (scenarioResult.lossesAgree()) {
            return "The losses of the same batches agree within 2 %.";
        }
        return scenarioResult.scenario().startsAtRandom()
                ? "Each side draws prefixes of its own to start with, so the losses can't be compared."
                : "The losses of the same batches differ by more than 2 %: this comparison is void.";
    }

    private boolean roundsGradients() {
        return outcomes.stream()
                .flatMap(scenarioResult -> scenarioResult.of(Side.GRAFT).stream())
                .anyMatch(round -> round.result().path("int8_gradients").asBoolean(false));
    }

    /** Returns the conditions of the measurement, as sentences. */
    public String facts() {
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
                        memory == null ? "unknown memory" : UnitFormat.bytes(memory),
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

    public String json() {
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
        outcomes.forEach(scenarioResult -> write(scenarioResult, scenarios.addObject()));
        return Json.compact(json);
    }

    private static void write(ScenarioResult scenarioResult, ObjectNode json) {
        json.put("title", scenarioResult.scenario().title());
        json.put("task", scenarioResult.scenario().task().toString());
        json.put("batch", scenarioResult.scenario().batch());
        json.put("losses_agree", scenarioResult.lossesAgree());
        ObjectNode ratios = json.putObject("ratios");
        for (Measure figure : Measure.values()) {
            ObjectNode ratio = ratios.putObject(figure.field());
            for (Side peer : List.of(Side.TUNED, Side.DEFAULT)) {
                Spread spread = scenarioResult.ratio(peer, figure);
                ratio.putObject(key(peer))
                        .put("median", spread.median())
                        .put("min", spread.min())
                        .put("max", spread.max());
            }
        }
        ObjectNode runs = json.putObject("runs");
        for (Side side : Side.values()) {
            ArrayNode rounds = runs.putArray(key(side));
            for (ScenarioResult.Round round : scenarioResult.of(side)) {
                ObjectNode run = rounds.addObject();
                round.result().properties().forEach(field -> run.set(field.getKey(), field.getValue()));
                run.put("one_step_process_s", round.firstStepSeconds());
            }
        }
    }

    private static String key(Side side) {
        return side.name().toLowerCase(Locale.ROOT);
    }
}
