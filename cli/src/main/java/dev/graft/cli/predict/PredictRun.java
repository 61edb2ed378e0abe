package dev.graft.cli.predict;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowAnswer;
import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.run.model.LoadedModel;
import dev.graft.train.data.Rows;
import java.io.PrintWriter;
import java.util.List;

/**
 * One run of {@code graft predict}.
 *
 * @param asJson true if an answer is a line of JSON
 */
record PredictRun(
        String model,
        List<String> adapters,
        HeadOptions head,
        ComputeOptions compute,
        PredictionOptions options,
        boolean asJson,
        PrintWriter out,
        PrintWriter err) {
    void predict(Rows rows) {
        LoadedModel loaded = LoadedModel.of(model, adapters, head, compute, new ConsoleListener(err));
        Base base = loaded.base();
        if (options.masks() != null && base.task() != Task.SEMANTIC_SEG) {
            throw new InputException("--masks is for models that give each point a class, but " + base.name()
                    + " has a head for " + base.task());
        }
        TaskType type = TaskTypes.predicting(base.task(), rows)
                .orElseThrow(() -> new InputException(base.name() + " has a head for " + base.task()
                        + "; predict needs a classifier, a dual encoder or a model that writes text"));
        type.predictor(new LoadedPredictionModel(loaded, adapters), options).predict(rows, this::print);
    }

    private void print(RowAnswer answer) {
        out.println(asJson ? Json.compact(answer.json().get()) : answer.text().get());
        out.flush();
    }
}
