package dev.graft.run;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.InputException;
import dev.graft.hub.Source;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import dev.graft.run.config.QuantizationChoice;
import dev.graft.run.config.RunConfig;
import dev.graft.run.methods.MethodFactory;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.Natives;
import dev.graft.train.CalibrationExamples;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Prepares a run from its config. */
public record RunPreparation(RunConfig config, RunListener listener) {
    /** Rows at a time where a method looks at the data before training. */
    private static final int CALIBRATION_BATCH = 8;

    /** Checks settings that are wrong whatever the rows and the base are, before any are read or fetched. */
    void check() {
        RunConfig.Base base = config.base();
        Method.Type method = MethodFactory.named(base.method());
        Source.parse(base.model());
        RowTasks.check(config.data(), method);
        DataFiles.of(config.data(), config.goal());
        new RunTask(config).check();
        new TeacherModel(config).check();
        new TrainSettingsFactory(config, null, true).of(1);
        LoadedModel.requireGradients(base.int8Gradients());
        MethodFactory.check(base.method(), config.methodOptions(), base.compat());
        new InitialAdapter(config).check();
    }

    /**
     * Reads rows, loads the base and creates the adapter; the caller closes the result.
     *
     * @throws InputException if the rows, the base or the settings can't be used
     */
    public PreparedRun prepare() {
        check();
        Splits splits = DataFiles.of(config.data(), config.goal()).open();
        boolean complete = false;
        try {
            PreparedRun prepared = prepare(splits);
            complete = true;
            return prepared;
        } finally {
            if (!complete) {
                splits.close();
            }
        }
    }

    private PreparedRun prepare(Splits splits) {
        double share = config.data().validFraction();
        Dataset rows = (Dataset) splits.train();
        RunTask asked = new RunTask(config);
        TaskSpec known = asked.of(rows);
        Splits unique = config.data().dedupe() ? splits.withoutRepeats() : splits;
        Splits whole = share > 0 ? unique.withValidation(share) : unique;
        Splits limited = DataFiles.limited(config.data(), whole);
        new TrainSettingsFactory(config, known, limited.validation() != null)
                .of(limited.train().size());
        ConfiguredBase.Files files = new ConfiguredBase(config.base(), listener).fetch();
        TaskSpec taskSpec = known != null ? known : asked.of(rows, files.checkpoint());
        limited.notes().forEach(listener::onNotice);
        return QuantizationChoice.AUTO.equals(config.base().quantization())
                ? new AutoQuantization(config, files, listener)
                        .prepare(chosen -> new RunPreparation(chosen, listener).prepare(taskSpec, limited, files))
                : prepare(taskSpec, limited, files);
    }

    private PreparedRun prepare(TaskSpec taskSpec, Splits splits, ConfiguredBase.Files files) {
        RowTasks tasks = RowTasks.of(config.data(), splits.train());
        LoadedModel loaded = new ConfiguredBase(config.base(), listener).load(taskSpec, files);
        Base base = loaded.base();
        if (config.economy().memoryLimit() != null) {
            // A checkpoint names it. The largest tensor, read whole for it, stands beside the base alone now, not
            // beside the run.
            base.fingerprint();
        }
        String name = config.base().method();
        Map<String, Object> options = tasks.options(MethodFactory.named(name), config.methodOptions());
        Method method = MethodFactory.of(name, options, config.base().compat(), base);
        long seed = config.base().seed();
        Adapter initial = new InitialAdapter(config).on(base, options, tasks, listener);
        Adapter adapter = initial != null || method.needsData() ? initial : Adapter.create(base, method, seed);
        List<String> notes = new ArrayList<>(splits.notes());
        Consumer<String> warnings = warning -> {
            notes.add(warning);
            listener.onNotice(warning);
        };
        RowEncoder encoder = taskSpec.encoder(base, () -> loaded.chat(warnings), config.encodingOptions());
        int length = RowLength.max(
                config.goal(), base, adapter == null || taskSpec.isImages() ? 0 : RowLength.prompt(adapter));
        Overflow overflow = taskSpec.overflow(config.goal().overflow());
        RowEncoder taught = new TeacherModel(config)
                .encoder(tasks.encoder(encoder, splits.train()), taskSpec, loaded, length, listener);
        Examples encoded = Examples.encode(splits.train(), taught, length, overflow);
        listener.onNotice("training: " + encoded.summary().text());
        Examples train = config.schedule().packing() ? packed(encoded, adapter) : encoded;
        if (adapter == null) {
            CalibrationExamples rows = CalibrationExamples.first(base, train, CALIBRATION_BATCH);
            adapter = Adapter.create(base, AdapterConfig.of(base, method), rows, seed);
        }
        tasks.check(adapter);
        Examples validation = encode(splits.validation(), encoder, tasks, length, overflow);
        TrainSettings settings = new TrainSettingsFactory(config, taskSpec, validation != null).of(train.size());
        Integer evalBatch = config.schedule().evalBatchSize();
        listener.onNotice(adapter.trainableLine());
        Natives.releaseMemory();
        return new PreparedRun(
                config,
                taskSpec,
                splits,
                new LoadedModel(adapter.base(), List.of(), loaded.files()),
                adapter,
                train,
                validation,
                encode(splits.test(), encoder, tasks, length, overflow),
                taskSpec.scorer(),
                settings,
                TrainPlan.of(settings, train.size()),
                evalBatch == null ? settings.batching().size() : evalBatch,
                length,
                tasks,
                notes);
    }

    private Examples packed(Examples rows, @Nullable Adapter adapter) {
        if (adapter != null && RowLength.prompt(adapter) > 0) {
            throw new InputException(
                    "packing is true, but " + adapter.method().type().name()
                            + " puts a prompt before each row, which packed rows would share; leave packing out");
        }
        Examples packed = rows.packed();
        listener.onNotice("packed: " + rows.size() + " rows into " + packed.size());
        return packed;
    }

    private static @Nullable Examples encode(
            @Nullable Rows rows, RowEncoder encoder, RowTasks tasks, int length, Overflow overflow) {
        return rows == null ? null : Examples.encode(rows, tasks.encoder(encoder, rows), length, overflow);
    }
}
