package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.Cpt;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class LossFunctionTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");
    private static final Base LLAMA = Base.load(BASES.resolve("llama-gqa"));
    private static final Base BERT =
            Base.load(BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "b", "c")));

    static Batch batch(Target... targets) {
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < targets.length; row++) {
            int[] ids = new Random(row).ints(5 + row, 5, 60).toArray();
            examples.add(new Example(row, ids, null, targets[row]));
        }
        return Batch.of(examples, 0);
    }

    private static double[][] logits(Base base, Batch batch) {
        double[] flat = Tensors.doubles(base.logits(LossFunction.inputs(batch), ForwardPass.inference(Hooks.NONE)));
        int width = flat.length / batch.rows();
        double[][] rows = new double[batch.rows()][];
        Arrays.setAll(rows, row -> Arrays.copyOfRange(flat, row * width, (row + 1) * width));
        return rows;
    }

    private static double[] logSoftmax(double[] logits) {
        double most = Arrays.stream(logits).max().orElseThrow();
        double log = most
                + Math.log(Arrays.stream(logits).map(x -> Math.exp(x - most)).sum());
        return Arrays.stream(logits).map(x -> x - log).toArray();
    }

    /** The smoothed loss needs a gradient pass; the value is the same. */
    private static Loss trained(Base base, Batch batch, double smoothing) {
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 1);
        return Losses.of(base, smoothing).backward(Selection.of(adapter).hooks(), batch, 1);
    }

    @Test
    void oneClassIsCrossEntropyAndSmoothingSpreadsAShareOverAll() {
        Batch batch = batch(new Target.ClassId(2), new Target.ClassId(0));
        double[][] logits = logits(BERT, batch);
        double plain = -logSoftmax(logits[0])[2] - logSoftmax(logits[1])[0];
        double uniform = -Arrays.stream(logSoftmax(logits[0])).average().orElseThrow()
                - Arrays.stream(logSoftmax(logits[1])).average().orElseThrow();
        Loss loss = Losses.of(BERT, 0.2).evaluate(Hooks.NONE, batch);
        assertThat(loss.sum()).as("evaluation is without smoothing").isCloseTo(plain, offset(1e-6));
        assertThat(loss.terms()).isEqualTo(2);
        assertThat(trained(BERT, batch, 0).sum()).isCloseTo(plain, offset(1e-6));
        assertThat(trained(BERT, batch, 0.2).sum()).isCloseTo(0.8 * plain + 0.2 * uniform, offset(1e-6));
    }

    @Test
    void manyClassesAreBinaryCrossEntropyAveragedOverTheClasses() {
        Batch batch = batch(new Target.MultiHot(new float[] {1, 0, 1}), new Target.MultiHot(new float[] {0, 0, 0}));
        double[][] logits = logits(BERT, batch);
        double sum = 0;
        for (int row = 0; row < 2; row++) {
            for (int i = 0; i < 3; i++) {
                boolean has = row == 0 && i != 1;
                double p = 1 / (1 + Math.exp(-logits[row][i]));
                sum -= Math.log(has ? p : 1 - p) / 3;
            }
        }
        List<Prediction> predictions = new ArrayList<>();
        Loss loss = Losses.of(BERT, 0).predict(Hooks.NONE, batch, predictions::add);
        assertThat(loss.sum()).isCloseTo(sum, offset(1e-6));
        Prediction.MultiLabel first = (Prediction.MultiLabel) predictions.get(0);
        assertThat(first.target()).containsExactly(true, false, true);
        for (int i = 0; i < 3; i++) {
            assertThat(first.predicted()[i]).isEqualTo(logits[0][i] > 0);
        }
    }

    @Test
    void aNumberIsTheSquaredError() {
        Base base = Base.load(
                BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("score")));
        Batch batch = batch(new Target.Score(1.5f), new Target.Score(-2));
        double[][] logits = logits(base, batch);
        List<Prediction> predictions = new ArrayList<>();
        Loss loss = Losses.of(base, 0).predict(Hooks.NONE, batch, predictions::add);
        assertThat(loss.sum()).isCloseTo(Math.pow(logits[0][0] - 1.5, 2) + Math.pow(logits[1][0] + 2, 2), offset(1e-5));
        Prediction.Value second = (Prediction.Value) predictions.get(1);
        assertThat(second.row()).isEqualTo(1);
        assertThat(second.target()).isEqualTo(-2f);
        assertThat((double) second.predicted()).isCloseTo(logits[1][0], offset(1e-6));
    }

    @Test
    void tokensWeighTheSameWhateverRowTheyAreIn() {
        int[] few = {-100, -100, -100, -100, 9};
        int[] many = {-100, 4, 5, 6, 7, 8};
        Batch batch = batch(new Target.Tokens(few), new Target.Tokens(many));
        double[][] logits = logits(LLAMA, batch);
        double[] sums = {0, 0};
        int[] hits = {0, 0};
        int vocab = LLAMA.backbone().vocabSize();
        int[][] labels = {few, many};
        for (int row = 0; row < 2; row++) {
            for (int i = 1; i < labels[row].length; i++) {
                if (labels[row][i] != -100) {
                    double[] scores = logSoftmax(Arrays.copyOfRange(logits[row], (i - 1) * vocab, i * vocab));
                    sums[row] -= scores[labels[row][i]];
                    int label = labels[row][i];
                    hits[row] += Arrays.stream(scores).allMatch(score -> score <= scores[label]) ? 1 : 0;
                }
            }
        }
        LossFunction lossFunction = Losses.of(LLAMA, 0);
        List<Prediction> predictions = new ArrayList<>();
        Loss loss = lossFunction.predict(Hooks.NONE, batch, predictions::add);
        assertThat(loss.mean()).isCloseTo((sums[0] + sums[1]) / 6, offset(1e-5));
        assertThat(lossFunction.terms(Hooks.NONE, batch)).isEqualTo(6);
        for (int row = 0; row < 2; row++) {
            Prediction.Tokens tokens = (Prediction.Tokens) predictions.get(row);
            assertThat(tokens.negativeLogLikelihood()).isCloseTo(sums[row], offset(1e-5));
            assertThat(tokens.tokens()).isEqualTo(row == 0 ? 1 : 5);
            assertThat(tokens.correct()).isEqualTo(hits[row]);
        }
        assertThat(trained(LLAMA, batch, 0).sum()).isCloseTo(sums[0] + sums[1], offset(1e-4));
    }

    @Test
    void theFirstTokenCountsOnlyBehindAPrompt() {
        int[] all = {7, 8, 9, 10, 11};
        Batch batch = batch(new Target.Tokens(all));
        LossFunction lossFunction = Losses.of(LLAMA, 0);
        assertThat(lossFunction.terms(Hooks.NONE, batch)).isEqualTo(4);
        assertThat(lossFunction.evaluate(Hooks.NONE, batch).terms()).isEqualTo(4);
        Hooks prompted =
                Selection.of(Adapter.create(LLAMA, PromptTuning.DEFAULT, 1)).hooks();
        assertThat(lossFunction.terms(prompted, batch)).isEqualTo(5);
        assertThat(lossFunction.evaluate(prompted, batch).terms()).isEqualTo(5);
        assertThat(lossFunction.backward(prompted, batch, 5).terms()).isEqualTo(5);
    }

    /** As if the context stood in the text: 21 weighs 1/4 and 23, the later answer, 1/2. */
    @Test
    void theAnswersInAContextCountInTrainingAndNotWhenMeasured() {
        Batch batch = batch(new Target.Tokens(new int[] {7, 8, 9}));
        long[] whole = LongStream.concat(LongStream.of(20, 21, 22, 23), Arrays.stream(batch.ids()))
                .toArray();
        int vocab = LLAMA.backbone().vocabSize();
        double[] logits =
                Tensors.doubles(LLAMA.logits(Inputs.of(new long[][] {whole}), ForwardPass.inference(Hooks.NONE)));
        double[] losses = new double[7];
        int[] labels = {20, 21, 22, 23, 7, 8, 9};
        for (int i = 1; i < 7; i++) {
            losses[i] = -logSoftmax(Arrays.copyOfRange(logits, (i - 1) * vocab, i * vocab))[labels[i]];
        }
        Cpt context = Cpt.of(List.of(20, 21, 22, 23), List.of(2, 4, 6, 8))
                .withDecays(true)
                .withDecay(0.5);
        Hooks hooks = Selection.of(Adapter.create(LLAMA, context, 1)).hooks();
        LossFunction lossFunction = Losses.of(LLAMA, 0);
        double text = losses[4] + losses[5] + losses[6];

        assertThat(lossFunction.terms(hooks, batch)).isEqualTo(5);
        assertThat(lossFunction.backward(hooks, batch, 5).sum())
                .isCloseTo(text + losses[1] / 4 + losses[3] / 2, offset(1e-4));
        assertThat(lossFunction.evaluate(hooks, batch)).satisfies(measured -> {
            assertThat(measured.terms()).isEqualTo(3);
            assertThat(measured.sum()).isCloseTo(text, offset(1e-4));
        });
    }

    @Test
    void gradientsOfPartsAddUpToThatOfTheWhole() {
        Target[] targets = new Target[8];
        for (int row = 0; row < 8; row++) {
            int[] labels = new Random(50 + row).ints(5 + row, 5, 60).toArray();
            Arrays.fill(labels, 0, row % 3 + 1, -100);
            targets[row] = new Target.Tokens(labels);
        }
        List<float[]> gradients = new ArrayList<>();
        for (int size : new int[] {8, 4, 1}) {
            Adapter adapter = Adapter.create(LLAMA, new Lora(LoraConfig.DEFAULT), 3);
            FlatParameters parameters = new FlatParameters(adapter.trainable());
            Hooks hooks = Selection.of(adapter).hooks();
            LossFunction lossFunction = Losses.of(LLAMA, 0);
            long terms = lossFunction.terms(hooks, batch(targets));
            List<Example> rows = new ArrayList<>();
            for (int row = 0; row < 8; row++) {
                rows.add(new Example(row, new Random(row).ints(5 + row, 5, 60).toArray(), null, targets[row]));
            }
            for (int start = 0; start < 8; start += size) {
                lossFunction.backward(hooks, Batch.of(rows.subList(start, start + size), 0), terms);
            }
            gradients.add(Tensors.floats(parameters.gradients()));
        }
        assertThat(gradients.get(1)).containsExactly(gradients.get(0), offset(1e-6f));
        assertThat(gradients.get(2)).containsExactly(gradients.get(0), offset(1e-6f));
        assertThat(gradients.get(0)).isNotEqualTo(new float[gradients.get(0).length]);
    }

    @Test
    void probabilitiesAreTheSoftmax() {
        Prediction.SingleLabel prediction = new Prediction.SingleLabel(0, 1, new float[] {1, 3, 3, 1000});
        assertThat(prediction.predicted()).isEqualTo(3);
        assertThat(prediction.probabilities()[3]).isEqualTo(1);
        Prediction.SingleLabel two = new Prediction.SingleLabel(0, 1, new float[] {0, (float) Math.log(3)});
        assertThat(two.probabilities()).containsExactly(new double[] {0.25, 0.75}, offset(1e-7));
    }
}
