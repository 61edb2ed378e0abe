package dev.graft.run;

import dev.graft.eval.run.ServingMetadata;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.BaseIdentity;
import dev.graft.run.config.RunConfig;
import dev.graft.run.methods.MethodFactory;
import dev.graft.run.model.AdapterHeader;
import dev.graft.run.progress.RunListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The adapter that a run continues to train, with a new optimiser and schedule, like PEFT's {@code from_pretrained(…, is_trainable=True)}.
 * Its method and settings are those of its folder.
 */
public record InitialAdapter(RunConfig config) {

    /** Checks that the folder exists and won't be replaced, before rows are read. */
    void check() {
        String given = config.base().initAdapter();
        if (given == null) {
            return;
        }
        Path folder = folder(given);
        Path out = Path.of(config.output().outputDir());
        if (config.output().overwriteOutputDir() && real(folder).startsWith(real(out))) {
            throw new InputException("init_adapter " + given + " is in output_dir " + out
                    + ", which overwrite_output_dir replaces; choose another output_dir");
        }
    }

    private static Path real(Path path) {
        return path.toAbsolutePath().normalize();
    }

    private static Path folder(String given) {
        if (given.contains("#") && !Files.exists(Path.of(given))) {
            throw new InputException("init_adapter is " + given
                    + ", but all tasks of an adapter are trained; leave out what stands behind #");
        }
        return AdapterHeader.folder(given, new Hub());
    }

    /**
     * Loads the adapter on a base; returns null if the config names none.
     *
     * @param options the given options of the method
     * @throws InputException if it contradicts the config
     */
    @Nullable
    Adapter on(Base base, Map<String, Object> options, RowTasks tasks, RunListener listener) {
        String given = config.base().initAdapter();
        if (given == null) {
            return null;
        }
        Path folder = folder(given);
        BaseIdentity identity = BaseIdentity.read(folder);
        if (identity != null) {
            identity.requireSame(base, "init_adapter " + given);
        }
        requireLabels(given, AdapterHeader.read(folder), base.labels(), listener);
        List<String> known = ServingMetadata.read(folder).tasks();
        if (!known.isEmpty() && !known.equals(tasks.names())) {
            throw new InputException("init_adapter " + given + " has the tasks " + String.join(", ", known)
                    + ", but the rows name " + (tasks.names().isEmpty() ? "none" : String.join(", ", tasks.names()))
                    + "; both must be the same in the same order");
        }
        Adapter adapter = Adapter.load(base, folder);
        requireMethod(given, adapter, options);
        requireHead(given, adapter);
        if (adapter.trainable().isEmpty()) {
            throw new InputException("init_adapter " + given + " has nothing that is trained");
        }
        listener.onNotice("Starting from " + given);
        return adapter;
    }

    private static void requireLabels(String given, AdapterHeader header, List<String> rows, RunListener listener) {
        List<String> labels = header.labels();
        if (labels.isEmpty() || labels.equals(rows)) {
            return;
        }
        if (header.namesLabels() || labels.size() != rows.size()) {
            throw new InputException("init_adapter " + given + " has the classes " + String.join(", ", labels)
                    + ", but the rows have " + String.join(", ", rows) + "; both must be the same in the same order");
        }
        listener.onNotice("Warning: " + given + " doesn't name its classes; they are taken for "
                + String.join(", ", rows) + " in this order");
    }

    private void requireMethod(String given, Adapter adapter, Map<String, Object> options) {
        String method = adapter.method().type().name();
        if (!method.equals(config.base().method())) {
            throw new InputException("init_adapter " + given + " is " + method + ", but method is "
                    + config.base().method() + "; set method=" + method);
        }
        List<String> others = MethodFactory.differences(
                adapter.method(), options, config.base().compat(), adapter.base());
        if (!others.isEmpty()) {
            throw new InputException("init_adapter " + given + " keeps its own settings: " + String.join("; ", others)
                    + ". Leave these options of " + method + " out, or give what the adapter has");
        }
    }

    private static void requireHead(String given, Adapter adapter) {
        Base base = adapter.base();
        Linear output = base.head().output();
        boolean needed =
                output != null && AdapterConfig.of(base, adapter.method()).savesWhole(output.name());
        if (output != null && needed && !adapter.config().savesWhole(output.name())) {
            throw new InputException("init_adapter " + given + " has no head for " + base.task() + " (" + output.name()
                    + "), which would stay as it was drawn; take an adapter that was trained for this task");
        }
    }

    /**
     * Rejects an initial adapter in commands whose adapters are always new.
     *
     * @param why the reason, for the message
     * @throws InputException if the config names an initial adapter
     */
    public static void refuse(RunConfig config, String why) {
        if (config.base().initAdapter() != null) {
            throw new InputException(
                    "init_adapter is " + config.base().initAdapter() + ", but " + why + "; leave it out");
        }
    }
}
