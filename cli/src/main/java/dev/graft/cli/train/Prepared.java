package dev.graft.cli.train;

import dev.graft.cli.config.RunConfig;
import dev.graft.cli.methods.ChosenMethod;
import dev.graft.cli.model.DownloadLine;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Terminal;
import dev.graft.eval.run.Dropouts;
import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.hub.Source;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.chat.Chat;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.matrices.Quantization;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.train.CalibrationRows;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a run needs before its first step: rows read, base loaded, adapter made, settings checked.
 *
 * @param config of the run, with what {@code quantization=auto} has chosen
 * @param maxLength the longest row in tokens
 */
public record Prepared(
        RunConfig config,
        RunData task,
        Splits splits,
        Loading loading,
        Adapter adapter,
        Examples train,
        @Nullable Examples validation,
        @Nullable Examples test,
        Scorer<?> scorer,
        TrainSettings settings,
        TrainPlan plan,
        int evalBatchSize,
        int maxLength,
        RowTasks tasks,
        List<String> notes)
        implements AutoCloseable {
    /** Longer rows are rarely worth their memory; who wants them says so. */
    private static final int USUAL_LENGTH = 1024;

    /** Rows at a time where a method looks at the data before training. */
    private static final int CALIBRATION_BATCH = 8;

    /** Refuses settings that no rows and no base could make right, before any are read or fetched. */
    static void check(RunConfig config) {
        RunConfig.Base base = config.base();
        Method.Type method = ChosenMethod.named(base.method());
        Source.parse(base.model());
        RowTasks.check(config.data(), method);
        DataFiles.of(config.data(), config.goal());
        new RunTask(config).check();
        new ChosenTeacher(config).check();
        new Settings(config, null, true).of(1);
        Loading.requireGradients(base.int8Gradients());
        ChosenMethod.check(base.method(), config.methodOptions(), base.compat());
        new InitialAdapter(config).check();
    }

    /** Reads rows, loads the base and makes the adapter; the caller closes the result. */
    public static Prepared of(RunConfig config, PrintWriter err) {
        check(config);
        Splits splits = DataFiles.of(config.data(), config.goal()).open();
        boolean complete = false;
        try {
            Prepared prepared = of(config, splits, err);
            complete = true;
            return prepared;
        } finally {
            if (!complete) {
                splits.close();
            }
        }
    }

    private static Prepared of(RunConfig config, Splits splits, PrintWriter err) {
        double share = config.data().validFraction();
        Dataset rows = (Dataset) splits.train();
        RunTask asked = new RunTask(config);
        RunData known = asked.of(rows);
        Splits unique = config.data().dedupe() ? splits.withoutRepeats() : splits;
        Splits whole = share > 0 ? unique.withValidation(share) : unique;
        Splits limited = DataFiles.limited(config.data(), whole);
        new Settings(config, known, limited.validation() != null)
                .of(limited.train().size());
        Files files = fetch(config.base(), err);
        RunData task = known != null ? known : asked.of(rows, files.checkpoint());
        limited.notes().forEach(err::println);
        return config.base().quantization() == RunConfig.Quantization.AUTO
                ? new AutoQuantization(config, files, err).prepare(chosen -> of(chosen, task, limited, files, err))
                : of(config, task, limited, files, err);
    }

    private static Prepared of(RunConfig config, RunData task, Splits splits, Files files, PrintWriter err) {
        RowTasks tasks = RowTasks.of(config.data(), splits.train());
        Loading loading = load(config.base(), task, files, err);
        Base base = loading.base();
        if (config.economy().memoryLimit() != null) {
            // A checkpoint names it. The largest tensor, read whole for it, stands beside the base alone now, not
            // beside the run.
            base.fingerprint();
        }
        String name = config.base().method();
        Map<String, Object> options = tasks.options(ChosenMethod.named(name), config.methodOptions());
        Method method = ChosenMethod.of(name, options, config.base().compat(), base);
        long seed = config.base().seed();
        Adapter initial = new InitialAdapter(config).on(base, options, tasks, err);
        Adapter adapter = initial != null || method.needsData() ? initial : Adapter.create(base, method, seed);
        List<String> notes = new ArrayList<>(splits.notes());
        RowEncoder encoder = task.encoder(base, () -> chat(loading, notes, err), reading(config));
        int length = length(config, base, adapter == null || task.isImages() ? 0 : prompt(adapter));
        Overflow overflow = overflow(config, task);
        RowEncoder taught =
                new ChosenTeacher(config).encoder(tasks.encoder(encoder, splits.train()), task, loading, length, err);
        Examples encoded = Examples.encode(splits.train(), taught, length, overflow);
        err.println("training: " + encoded.summary().text());
        Examples train = config.schedule().packing() ? packed(encoded, adapter, err) : encoded;
        if (adapter == null) {
            CalibrationRows rows = CalibrationRows.first(base, train, CALIBRATION_BATCH);
            adapter = Adapter.create(base, AdapterConfig.of(base, method), rows, seed);
        }
        tasks.check(adapter);
        Examples validation = encode(splits.validation(), encoder, tasks, length, overflow);
        TrainSettings settings = new Settings(config, task, validation != null).of(train.size());
        Integer evalBatch = config.schedule().evalBatchSize();
        err.println(adapter.trainableLine());
        Natives.giveBack();
        return new Prepared(
                config,
                task,
                splits,
                new Loading(adapter.base(), List.of(), loading.files()),
                adapter,
                train,
                validation,
                encode(splits.test(), encoder, tasks, length, overflow),
                Scorer.of(task),
                settings,
                TrainPlan.of(settings, train.size()),
                evalBatch == null ? settings.batching().size() : evalBatch,
                length,
                tasks,
                notes);
    }

    /** How a config reads rows. */
    public static RunData.Reading reading(RunConfig config) {
        Integer stride = config.goal().stride();
        Double share = config.goal().maskShare();
        return new RunData.Reading(
                LossOn.valueOf(config.goal().lossOn().name()),
                stride == null ? RunData.STRIDE : stride,
                share == null ? RunData.MASK_SHARE : share,
                config.base().seed());
    }

    static String name(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** A base's files, and the name that people know it by. */
    public record Files(String name, Path path, Checkpoint checkpoint) {}

    /** Fetches the base that a config names. */
    public static Files fetch(RunConfig.Base config, PrintWriter err) {
        Source source = Source.parse(config.model());
        Path path;
        try (DownloadLine progress = new DownloadLine(err, Terminal.isLive())) {
            path = new Hub(progress).fetch(source);
        }
        String name = source instanceof Source.Local local ? local.path().toString() : config.model();
        return new Files(name, path, Checkpoint.open(path));
    }

    /** The base that a run trains on. */
    public static Loading load(RunConfig.Base config, RunData task, Files files, PrintWriter err) {
        Loading.useThreads(config.threads());
        long start = System.nanoTime();
        Base.Options options = task.options(Base.Options.DEFAULT
                .withNumerics(Numerics.of(name(config.dtype())))
                .withQuantization(quantization(config))
                .withSeed(config.seed()));
        Base base = new Dropouts(config.hiddenDropout(), config.attentionDropout())
                .load(files.name(), files.checkpoint(), options);
        Loading.roundGradients(base, config.int8Gradients());
        err.println("Loaded " + base.name() + ": " + base.architecture().modelType() + ", "
                + Figures.count(base.parameterCount()) + " parameters, " + Loading.numbers(base)
                + (base.roundsGradients() ? ", gradients through it in int8, " : ", ")
                + Figures.duration(Duration.ofNanos(System.nanoTime() - start)));
        if (!base.freshParameters().isEmpty()) {
            err.println("  with a new head: " + String.join(", ", base.freshParameters()));
        }
        return new Loading(base, List.of(), files.path());
    }

    private static @Nullable Quantization quantization(RunConfig.Base config) {
        requireKind(config);
        RunConfig.Quantization wanted = config.quantization();
        return wanted == null ? null : Quantization.of(name(wanted));
    }

    /**
     * Checks that a config says how the base is kept.
     *
     * @throws InputException if that would have to be chosen, which only {@code graft train} does
     */
    public static void requireKind(RunConfig.Base config) {
        if (config.quantization() == RunConfig.Quantization.AUTO) {
            throw new InputException("quantization is auto, which chooses for one run of graft train; where several"
                    + " methods are tried, name a kind: none, int8 or nf4");
        }
    }

    /** The chat template of a base; warnings go to the notes where it ends or asks for answers as no model is served. */
    public static Chat chat(Loading loading, List<String> notes, PrintWriter err) {
        Chat chat = loading.chat();
        for (String warning : Arrays.asList(
                CausalEncoder.endWarning(chat, loading.base().endTokens()), CausalEncoder.promptWarning(chat))) {
            if (warning != null) {
                notes.add("Warning: " + warning);
                err.println("Warning: " + warning);
            }
        }
        return chat;
    }

    private static Examples packed(Examples rows, @Nullable Adapter adapter, PrintWriter err) {
        if (adapter != null && prompt(adapter) > 0) {
            throw new InputException(
                    "packing is true, but " + adapter.method().type().name()
                            + " puts a prompt before each row, which packed rows would share; leave packing out");
        }
        Examples packed = rows.packed();
        err.println("packed: " + rows.size() + " rows into " + packed.size());
        return packed;
    }

    /** What the model can take beside the adapter's prompt. */
    public static int length(RunConfig config, Base base, int prompt) {
        int most = base.backbone().maxPositions() - prompt;
        Integer wanted = config.goal().maxSeqLength();
        if (wanted != null && wanted > most) {
            throw new InputException("max_seq_length is " + wanted + ", but " + base.name() + " takes at most " + most
                    + " tokens" + (most == base.backbone().maxPositions() ? "" : " beside the prompt"));
        }
        return wanted == null ? Math.min(USUAL_LENGTH, most) : wanted;
    }

    /** The rows that an adapter puts before each text. */
    static int prompt(Adapter adapter) {
        Base base = adapter.base();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Inputs one = base.backbone().trial(new long[][] {{0}});
            Adapter acting = adapter.lacksTask() ? adapter.task(0) : adapter;
            Pass pass = Pass.inference(Selection.of(acting).hooks());
            return Math.toIntExact(base.hidden(one, pass).prompt());
        }
    }

    /** What becomes of longer rows. */
    public static Overflow overflow(RunConfig config, RunData task) {
        RunConfig.Overflow wanted = config.goal().overflow();
        return task.overflow(wanted == null ? null : Overflow.valueOf(wanted.name()));
    }

    private static @Nullable Examples encode(
            @Nullable Rows rows, RowEncoder encoder, RowTasks tasks, int length, Overflow overflow) {
        return rows == null ? null : Examples.encode(rows, tasks.encoder(encoder, rows), length, overflow);
    }

    @Override
    public void close() {
        splits.close();
    }
}
