package dev.graft.cli.recommend;

import dev.graft.cli.Interruption;
import dev.graft.cli.config.ConfigReader;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Table;
import dev.graft.cli.train.Prepared;
import dev.graft.eval.recommend.Budget;
import dev.graft.eval.recommend.Records;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.io.PrintWriter;
import java.io.Writer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Looks for methods that fit a budget, those with the best records first. */
record RecommendRun(List<String> options, Budget budget, Records records, int most, PrintWriter err) {
    private static final int STEPS = 4;

    /** Of each method that is wanted so many are tried, in vain at worst. */
    private static final int TRIES = 3;

    /**
     * A method that was tried.
     *
     * @param memory of the process, in bytes; 0 where the system doesn't say
     * @param time of the whole training; null where it can't be trained on these rows
     * @param why it doesn't fit; null if it does
     * @param known what was measured of it before
     */
    record Tried(
            String method,
            long memory,
            @Nullable Duration time,
            @Nullable String why,
            String known) {}

    /**
     * What came of it.
     *
     * @param race what each method scored on validation rows, the best first; empty without a race
     */
    record Advice(List<Tried> tried, Map<String, Double> race, String command) {
        List<String> fitting() {
            return tried.stream()
                    .filter(each -> each.why() == null)
                    .map(Tried::method)
                    .toList();
        }

        Advice after(Map<String, Double> race) {
            return new Advice(tried, race, command);
        }

        private @Nullable String first() {
            return race.isEmpty()
                    ? fitting().stream().findFirst().orElse(null)
                    : race.keySet().iterator().next();
        }

        String text() {
            Table table = new Table("method", "memory", "time", "fits", "measured before");
            for (Tried each : tried) {
                Duration time = each.time();
                table.row(
                        each.method(),
                        each.memory() == 0 ? "" : Figures.bytes(each.memory()),
                        time == null ? "" : Figures.duration(time),
                        each.why() == null ? "yes" : each.why(),
                        each.known());
            }
            StringBuilder text = new StringBuilder(table.toString());
            race.forEach((method, score) ->
                    text.append(String.format(Locale.ROOT, "race: %s %.4f on validation rows%n", method, score)));
            String first = first();
            return text.append(
                            first == null
                                    ? "nothing fits: a smaller batch_size, max_seq_length or base needs less"
                                    : "try first: " + command + " method=" + first)
                    .toString();
        }

        String json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            ArrayNode rows = json.putArray("methods");
            for (Tried each : tried) {
                ObjectNode row = rows.addObject().put("method", each.method());
                Duration time = each.time();
                if (each.memory() > 0) {
                    row.put("memory_bytes", each.memory());
                }
                if (time != null) {
                    row.put("seconds", time.toMillis() / 1000.0);
                }
                row.put("fits", each.why() == null);
                if (each.why() != null) {
                    row.put("why_not", each.why());
                }
                row.put("known", each.known());
            }
            if (!race.isEmpty()) {
                ObjectNode scores = json.putObject("race");
                race.forEach(scores::put);
            }
            json.put("first", first());
            return Json.pretty(json);
        }
    }

    Advice run() {
        RunConfig any = config("lora");
        Prepared.requireKind(any.base());
        Prepared.Files files = Prepared.fetch(any.base(), err);
        boolean decoder = Architecture.of(files.checkpoint().config()).tasks().contains(Task.CAUSAL_LM);
        String task = decoder ? Task.CAUSAL_LM.name() : Task.SEQ_CLS.name();
        List<Tried> tried = new ArrayList<>();
        int fitting = 0;
        for (String method : candidates(decoder, task)) {
            if (fitting == most || tried.size() >= TRIES * most) {
                break;
            }
            if (Interruption.requested()) {
                throw new CancellationException("interrupted after " + tried.size() + " methods");
            }
            err.println("trying " + method);
            Tried each = attempt(method, task);
            tried.add(each);
            fitting += each.why() == null ? 1 : 0;
        }
        return new Advice(tried, Map.of(), "./graft train " + String.join(" ", options));
    }

    /** The best by whole points first; of equals those that train less. */
    private List<String> candidates(boolean decoder, String task) {
        return Methods.all().stream()
                .filter(type -> decoder
                        ? type.capabilities().decoder()
                        : type.capabilities().encoder())
                .map(Method.Type::name)
                .filter(method -> records.advantage(method, task).isPresent())
                .sorted(Comparator.comparingLong((String method) -> -Math.round(
                                100 * records.advantage(method, task).orElse(0)))
                        .thenComparingDouble(records::trainablePercent))
                .toList();
    }

    private RunConfig config(String method) {
        return ConfigReader.read(null, options, Map.of("method", method), notice -> {});
    }

    /** Trains a few steps of it and stretches what they took to the whole training. */
    private Tried attempt(String method, String task) {
        String known = records.known(method, task);
        try (Prepared prepared = Prepared.of(config(method), new PrintWriter(Writer.nullWriter()))) {
            TrainSettings settings = prepared.settings();
            MemoryEstimate estimate =
                    MemoryEstimate.of(settings, prepared.adapter(), prepared.train(), budget.memory());
            List<Long> times = new ArrayList<>();
            TrainingListener clock = new TrainingListener() {
                @Override
                public void onStep(Stepped stepped) {
                    times.add(System.nanoTime());
                }
            };
            new Trainer(settings, prepared.adapter(), prepared.train(), null, null, List.of(clock))
                    .run(Resume.NEVER, () -> times.size() >= STEPS);
            long step = (times.get(times.size() - 1) - times.get(0)) / Math.max(1, times.size() - 1);
            Duration time = Duration.ofNanos(step * prepared.plan().totalSteps());
            long memory = estimate == null ? 0 : estimate.total();
            String why = memory > budget.memory()
                    ? "no: needs more memory"
                    : time.compareTo(budget.time()) > 0 ? "no: takes longer" : null;
            return new Tried(method, memory, time, why, known);
        } catch (InputException refused) {
            return new Tried(
                    method,
                    0,
                    null,
                    "no: "
                            + String.valueOf(refused.getMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse(""),
                    known);
        }
    }
}
