package dev.graft.cli.eval;

import dev.graft.cli.model.ColumnsOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.model.RecordedRows;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.run.RowsRecord;
import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.eval.run.Scores;
import dev.graft.eval.run.ServingRecord;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.Predictor;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Goal;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.TaskEncoder;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of {@code graft eval}. */
record EvalRun(String model, List<String> adapters, HeadOptions head, ComputeOptions compute, PrintWriter err) {
    private static final int USUAL_LENGTH = 1024;

    /** The scores, and what was scored. */
    record Scored(String model, List<String> adapters, Path data, Counted counted, Scores scores) {
        String shown(boolean json) {
            return json ? Json.pretty(json()) : text().stripTrailing();
        }

        private ObjectNode json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("model", model);
            ArrayNode names = json.putArray("adapters");
            adapters.forEach(names::add);
            json.put("data", data.toString());
            counted.addTo(json);
            json.setAll(scores.toJson());
            return json;
        }

        private String text() {
            Table table = new Table("metric", "value", "95 % from", "to");
            for (Map.Entry<String, Double> metric : scores.metrics().entrySet()) {
                Bootstrap.Interval interval = scores.intervals().get(metric.getKey());
                table.row(
                        metric.getKey(),
                        shown(metric.getValue()),
                        interval == null ? "" : shown(interval.low()),
                        interval == null ? "" : shown(interval.high()));
            }
            return scores.rows() + " rows of " + data + counted.text() + "\n" + table;
        }

        private static String shown(double value) {
            return Double.isFinite(value) ? String.format(Locale.ROOT, "%.4f", value) : "";
        }
    }

    Scored score(
            Path data,
            ColumnsOption columns,
            int batchSize,
            @Nullable Integer maxLength,
            @Nullable Overflow overflow,
            @Nullable LossOn lossOn) {
        try (Dataset rows = new RecordedRows(columns, adapters).toScore(data)) {
            err.println(rows.path() + ": " + rows.detected());
            rows.warnings().forEach(warning -> err.println("Warning: " + warning));
            Loading loading = Loading.of(model, adapters, head, compute, err);
            Base base = loading.base();
            RunData task = RunData.of(rows, base);
            if (lossOn != null && task.task() != Task.CAUSAL_LM) {
                throw new InputException("--loss-on is " + lossOn.name().toLowerCase(Locale.ROOT) + ", but a "
                        + task.task() + " model has one answer a row; leave it out");
            }
            int most = base.backbone().maxPositions();
            if (maxLength != null && (maxLength < 2 || maxLength > most)) {
                throw new InputException("--max-seq-length is " + maxLength + ", expected 2 to " + most);
            }
            ServingRecord record = RecordedRows.record(adapters);
            RowsRecord trained = record.rows();
            Counted counted = new Counted(
                    lossOn(task, lossOn, trained.lossOn()),
                    maxLength == null ? Math.min(most, trained.maxLength(USUAL_LENGTH)) : maxLength);
            RowEncoder encoder = task.encoder(base, loading::chat, counted.lossOnOrUsual());
            boolean named =
                    loading.adapters().size() == 1 && loading.adapters().get(0).lacksTask();
            Examples examples = Examples.encode(
                    rows,
                    named ? new TaskEncoder(encoder, rows, record.tasks()) : encoder,
                    counted.maxLength(),
                    task.overflow(overflow == null ? trained.overflow() : overflow));
            err.println(examples.summary().text());
            Scores scores = Scorer.of(task).score(new Predictor(base, examples, batchSize), loading.hooks(), true);
            Path scored = Files.isDirectory(data) ? rows.path() : data;
            return new Scored(model, adapters, scored, counted, scores);
        }
    }

    /** What counts of a row: what is asked for, else what counted in training; null where a row has one answer. */
    private static @Nullable LossOn lossOn(RunData task, @Nullable LossOn wanted, @Nullable LossOn trained) {
        if (task.task() != Task.CAUSAL_LM || !task.goal().equals(Goal.TARGETS)) {
            return null;
        }
        return wanted != null ? wanted : trained != null ? trained : LossOn.COMPLETION;
    }
}
