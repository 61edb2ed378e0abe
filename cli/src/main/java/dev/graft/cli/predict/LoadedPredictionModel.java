package dev.graft.cli.predict;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.sites.Hooks;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.model.RecordedDataset;
import dev.graft.train.data.Label;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A loaded model and the records of its adapters.
 *
 * @param adapters as the command names them
 */
record LoadedPredictionModel(LoadedModel loaded, List<String> adapters) implements PredictionModel {
    @Override
    public Base base() {
        return loaded.base();
    }

    @Override
    public Base trainedBase() {
        loaded.requireTrained();
        return base();
    }

    @Override
    public Hooks hooks() {
        return loaded.selection().hooks();
    }

    @Override
    public Chat chat() {
        return loaded.chat();
    }

    @Override
    public Label.@Nullable Kind kind() {
        return RecordedDataset.record(adapters).kind();
    }

    @Override
    public boolean hasUnanswerable() {
        return RecordedDataset.record(adapters).hasUnanswerable();
    }
}
