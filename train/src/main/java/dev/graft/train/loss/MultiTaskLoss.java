package dev.graft.train.loss;

import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Batch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The loss of rows that may name tasks: each row uses the adapter parameters of its task. */
record MultiTaskLoss(LossFunction inner) implements LossFunction {
    private static Hooks hooksFor(Hooks hooks, Batch batch) {
        return hooks.forTasks(batch.tasks());
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return inner.terms(hooksFor(hooks, batch), batch);
    }

    @Override
    public Batch prepare(Hooks hooks, Batch batch) {
        return inner.prepare(hooksFor(hooks, batch), batch);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return inner.backward(hooksFor(hooks, batch), batch, divisor);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor, @Nullable ExpertLoad step) {
        return inner.backward(hooksFor(hooks, batch), batch, divisor, step);
    }

    @Override
    public @Nullable ExpertLoad expertLoad(Hooks hooks, Batch batch) {
        return inner.expertLoad(hooksFor(hooks, batch), batch);
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        return inner.predict(hooksFor(hooks, batch), batch, predictions);
    }

    @Override
    public Loss evaluate(Hooks hooks, Batch batch) {
        return inner.evaluate(hooksFor(hooks, batch), batch);
    }

    @Override
    public boolean canPack(Hooks hooks) {
        return inner.canPack(hooks);
    }

    @Override
    public boolean hasPrompt(Hooks hooks) {
        return inner.hasPrompt(hooks);
    }
}
