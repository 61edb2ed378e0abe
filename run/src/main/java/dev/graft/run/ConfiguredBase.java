package dev.graft.run;

import dev.graft.eval.run.DropoutOverrides;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.hub.Source;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.PretrainedCheckpoints;
import dev.graft.models.matrices.Quantization;
import dev.graft.run.config.QuantizationChoice;
import dev.graft.run.config.RunConfig;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Fetches and loads the base that a config names. */
public record ConfiguredBase(RunConfig.Base config, RunListener listener) {

    /**
     * The files of a base.
     *
     * @param name the name to show for it
     * @param path the folder or file
     */
    public record Files(String name, Path path, PretrainedCheckpoint checkpoint) {}

    /** Fetches the base. */
    public Files fetch() {
        Source source = Source.parse(config.model());
        Path path;
        try (RunListener.Fetch progress = listener.onFetch()) {
            path = new Hub(progress).fetch(source);
        }
        String name = source instanceof Source.Local local ? local.path().toString() : config.model();
        return new Files(name, path, PretrainedCheckpoints.open(path));
    }

    /** Loads the base that a run trains on. */
    public LoadedModel load(TaskSpec taskSpec, Files files) {
        LoadedModel.useThreads(config.threads());
        long start = System.nanoTime();
        Base.Options options = taskSpec.options(Base.Options.DEFAULT
                .withNumerics(config.dtype().numerics())
                .withQuantization(quantization())
                .withSeed(config.seed()));
        Base base = new DropoutOverrides(config.hiddenDropout(), config.attentionDropout())
                .load(files.name(), files.checkpoint(), options);
        LoadedModel.roundGradients(base, config.int8Gradients());
        listener.onNotice("Loaded " + base.name() + ": " + base.architecture().modelType() + ", "
                + UnitFormat.count(base.parameterCount()) + " parameters, " + LoadedModel.precision(base)
                + (base.usesInt8Gradients() ? ", gradients through it in int8, " : ", ")
                + UnitFormat.duration(Duration.ofNanos(System.nanoTime() - start)));
        if (!base.newParameters().isEmpty()) {
            listener.onNotice("  with a new head: " + String.join(", ", base.newParameters()));
        }
        return new LoadedModel(base, List.of(), files.path());
    }

    private @Nullable Quantization quantization() {
        requireKind();
        QuantizationChoice wanted = config.quantization();
        return wanted == null ? null : wanted.kind();
    }

    /**
     * Checks that the config names the kind of quantisation.
     *
     * @throws InputException if the kind is {@code auto}, which only {@code graft train} supports
     */
    public void requireKind() {
        if (QuantizationChoice.AUTO.equals(config.quantization())) {
            throw new InputException("quantization is auto, which chooses for one run of graft train; where several"
                    + " methods are tried, name a kind: none, int8 or nf4");
        }
    }
}
