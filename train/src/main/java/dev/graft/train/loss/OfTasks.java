package dev.graft.train.loss;

import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Batch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An objective of rows that may name tasks: each row sees what acts for its task. */
record OfTasks(Objective inner) implements Objective {
    private static Hooks of(Hooks hooks, Batch batch) {
        return hooks.tasks(batch.tasks());
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return inner.terms(of(hooks, batch), batch);
    }

    @Override
    public Batch prepared(Hooks hooks, Batch batch) {
        return inner.prepared(of(hooks, batch), batch);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return inner.backward(of(hooks, batch), batch, divisor);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor, @Nullable Load step) {
        return inner.backward(of(hooks, batch), batch, divisor, step);
    }

    @Override
    public @Nullable Load load(Hooks hooks, Batch batch) {
        return inner.load(of(hooks, batch), batch);
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        return inner.predict(of(hooks, batch), batch, predictions);
    }

    @Override
    public Loss evaluate(Hooks hooks, Batch batch) {
        return inner.evaluate(of(hooks, batch), batch);
    }

    @Override
    public boolean packs(Hooks hooks) {
        return inner.packs(hooks);
    }

    @Override
    public boolean prompts(Hooks hooks) {
        return inner.prompts(hooks);
    }
}
