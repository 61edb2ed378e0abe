package dev.graft.eval.suites;

import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import java.nio.file.Path;
import java.util.List;

/** Of a twin that has no rows to train on: how they are asked is learnt from rows of other words. */
abstract class ScoredTwinProof extends TwinProof {
    private final SuiteTask task;
    private final String metric;
    private final Path twin;
    private final List<Item> items;

    /**
     * @param twin its folder
     * @param other that of rows of other words
     */
    ScoredTwinProof(SuiteTask task, String metric, Path twin, Path other) {
        this.task = task;
        this.metric = metric;
        this.twin = twin;
        this.items = task.read(other, "test");
    }

    List<Item> items() {
        return items;
    }

    abstract RowEncoder encoder(Base base);

    @Override
    List<Double> rates() {
        return List.of(1e-3);
    }

    @Override
    Examples learnt(Base base) {
        Rows rows = Rows.of(
                "other words", items.stream().map(ScoredTwinProof::completed).toList());
        return Examples.encode(rows, encoder(base), 256, Overflow.DROP);
    }

    /** A question with its right choice behind it, as choices are compared. */
    private static Row completed(Item item) {
        return item.row() instanceof Row.Choice choice
                ? new Row.Completion(choice.stem(), " " + item.gold().get(0))
                : item.row();
    }

    @Override
    double score(Adapter adapter) {
        List<SuiteTask.Answer> answers = new SuitePredictor(
                        adapter.base(), Selection.of(adapter).hooks(), 16, 256, 8)
                .answer(task, twin, task.read(twin, "test"));
        return task.score(answers).get(metric);
    }
}
