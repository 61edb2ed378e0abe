package dev.graft.cli.eval;

import dev.graft.cli.model.ColumnsOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.run.DataMetadata;
import dev.graft.eval.run.ServingMetadata;
import dev.graft.eval.tasks.Scores;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.model.RecordedDataset;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.MultiTaskEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.files.Dataset;
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

    /** The scores of a model on a file. */
    record Result(String model, List<String> adapters, Path data, ScoredTokens scoredTokens, Scores scores) {
        String shown(boolean json) {
            return json ? Json.compact(json()) : text().stripTrailing();
        }

        private ObjectNode json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("model", model);
            ArrayNode names = json.putArray("adapters");
            adapters.forEach(names::add);
            json.put("data", data.toString());
            scoredTokens.addTo(json);
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
            return scores.rows() + " rows of " + data + scoredTokens.text() + "\n" + table;
        }

        private static String shown(double value) {
            return Double.isFinite(value) ? String.format(Locale.ROOT, "%.4f", value) : "";
        }
    }

    Result score(
            Path data,
            ColumnsOption columns,
            int batchSize,
            @Nullable Integer maxLength,
            @Nullable Overflow overflow,
            @Nullable LossOn lossOn) {
        try (Dataset rows = new RecordedDataset(columns.columns(), adapters).toScore(data)) {
            err.println(rows.path() + ": " + rows.detected());
            rows.warnings().forEach(warning -> err.println("Warning: " + warning));
            LoadedModel loaded = LoadedModel.of(model, adapters, head, compute, new ConsoleListener(err));
            Base base = loaded.base();
            TaskSpec taskSpec = TaskSpec.of(rows, base);
            if (lossOn != null && taskSpec.task() != Task.CAUSAL_LM) {
                throw new InputException("--loss-on is " + lossOn.name().toLowerCase(Locale.ROOT) + ", but a "
                        + taskSpec.task() + " model has one answer a row; leave it out");
            }
            int most = base.backbone().maxPositions();
            if (maxLength != null && (maxLength < 2 || maxLength > most)) {
                throw new InputException("--max-seq-length is " + maxLength + ", expected 2 to " + most);
            }
            ServingMetadata metadata = RecordedDataset.record(adapters);
            DataMetadata trained = metadata.rows();
            ScoredTokens scoredTokens = new ScoredTokens(
                    lossOn(taskSpec, lossOn, trained.lossOn()),
                    maxLength == null ? Math.min(most, trained.maxLength(USUAL_LENGTH)) : maxLength);
            RowEncoder encoder = taskSpec.encoder(base, loaded::chat, scoredTokens.lossOnOrDefault());
            boolean named =
                    loaded.adapters().size() == 1 && loaded.adapters().get(0).lacksTask();
            Examples examples = Examples.encode(
                    rows,
                    named ? new MultiTaskEncoder(encoder, rows, metadata.tasks()) : encoder,
                    scoredTokens.maxLength(),
                    taskSpec.overflow(overflow == null ? trained.overflow() : overflow));
            err.println(examples.summary().text());
            Scores scores = taskSpec.scorer().score(new Predictor(base, examples, batchSize), loaded.hooks(), true);
            Path scored = Files.isDirectory(data) ? rows.path() : data;
            return new Result(model, adapters, scored, scoredTokens, scores);
        }
    }

    /** The scored tokens of a row: the user's choice, else that of training; null where a row has one answer. */
    private static @Nullable LossOn lossOn(TaskSpec taskSpec, @Nullable LossOn wanted, @Nullable LossOn trained) {
        if (!taskSpec.knows("loss_on")) {
            return null;
        }
        return wanted != null ? wanted : trained != null ? trained : LossOn.COMPLETION;
    }
}
