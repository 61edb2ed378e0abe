package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
import dev.graft.models.ModelHooks;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The hooks of an adapter of several tasks for rows that name their tasks. Properties needed before the batch is known are those common to all
 * tasks.
 */
public final class TaskHooks implements ModelHooks {
    private final String method;
    private final List<Selection> each;

    private TaskHooks(String method, List<Selection> each) {
        this.method = method;
        this.each = each;
    }

    /**
     * Returns the hooks of an adapter for every row. If it has several tasks and none is chosen, the row's task decides.
     */
    public static Hooks of(Adapter adapter) {
        if (!adapter.lacksTask()) {
            return Selection.of(adapter).hooks();
        }
        return new TaskHooks(
                adapter.method().type().name(),
                IntStream.range(0, adapter.tasks())
                        .mapToObj(task -> Selection.of(adapter.task(task)))
                        .toList());
    }

    @Override
    public Hooks forTasks(int @Nullable [] rows) {
        if (rows == null) {
            throw lacking();
        }
        if (Arrays.stream(rows).allMatch(task -> task == rows[0])) {
            return each.get(rows[0]).hooks();
        }
        List<Selection> chosen = new ArrayList<>();
        for (int task : rows) {
            chosen.add(each.get(task));
        }
        return Selection.rows(chosen).hooks();
    }

    private InputException lacking() {
        return new InputException(method + ": the adapter has the tasks 0 to " + (each.size() - 1)
                + ", so rows must name theirs, or one must be chosen for all");
    }

    @Override
    public void requireFit(Backbone backbone) {
        throw lacking();
    }

    @Override
    public boolean isFrozen(Site site) {
        return each.get(0).hooks().isFrozen(site);
    }

    @Override
    public @Nullable Affine affine(Linear site) {
        return isFrozen(site) ? site : null;
    }
}
