package dev.graft.eval.suites;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.selective.FullFineTuning;
import dev.graft.tensor.Tensors;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.Trainer;
import dev.graft.train.data.Examples;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;

/**
 * What LoRA on a base answers of a twin's test rows, beside the same network from random weights, all of which are trained on the same rows.
 */
abstract class TwinProof implements AutoCloseable {
    /**
     * Scores of one metric.
     *
     * @param random the best of the rates that were tried
     */
    record Scores(double lora, double random) {}

    /**
     * The proof of any task of any suite.
     *
     * @param task such as {@code cifar/cifar100}
     * @param folder an empty one to work in
     */
    static TwinProof of(String task, Path folder) throws IOException {
        return task.startsWith("lama/")
                ? LamaProof.of(task, folder)
                : task.startsWith("bbh/") ? new BbhProof(task, folder) : new TrainedTwinProof(task);
    }

    abstract Base base();

    Method lora() {
        return new Lora(LoraConfig.DEFAULT);
    }

    /** Rates at which all is trained from random weights. */
    abstract List<Double> rates();

    /** The rows to learn from. */
    abstract Examples learnt(Base base);

    @Override
    public void close() {}

    /** How good its answers to the twin's test rows are. */
    abstract double score(Adapter adapter);

    Scores scores(int steps, double rate) {
        Base base = base();
        double lora = score(trained(base, lora(), rate, steps));
        double random = Double.NEGATIVE_INFINITY;
        for (double each : rates()) {
            random = Math.max(random, score(trained(random(base), FullFineTuning.DEFAULT, each, steps)));
        }
        return new Scores(lora, random);
    }

    private Adapter trained(Base base, Method method, double rate, int steps) {
        Adapter adapter = Adapter.create(base, method, 1);
        TrainSettings settings = TrainSettings.DEFAULT
                .withMaxSteps(steps)
                .withBatchSize(8)
                .withLearningRate(rate)
                .withSaving(new Saving(Every.NEVER, 0));
        new Trainer(settings, adapter, learnt(base), null, null, List.of()).run(Resume.NEVER, () -> false);
        return adapter;
    }

    /** The same network with weights as BERT begins with: a normal distribution, norms that change nothing. */
    private static Base random(Base base) {
        Random random = new Random(1);
        Map<String, Tensor> weights = new HashMap<>();
        base.parameters().forEach((name, tensor) -> {
            float[] values = new float[(int) tensor.numel()];
            for (int i = 0; i < values.length; i++) {
                values[i] = tensor.dim() > 1 ? (float) (0.02 * random.nextGaussian()) : name.endsWith("weight") ? 1 : 0;
            }
            weights.put(name, Tensors.of(values, Tensors.shape(tensor)));
        });
        return base.withParameters(weights);
    }
}
