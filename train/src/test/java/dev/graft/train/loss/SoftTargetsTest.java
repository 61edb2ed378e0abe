package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import dev.graft.train.data.Teacher;
import dev.graft.train.data.TrainingObjective;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Learning from a teacher, against the formula by autograd over whole logits. */
class SoftTargetsTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");
    private static final Base LLAMA = Base.load(BASES.resolve("llama-gqa"));
    private static final Base LARGER = Base.load(BASES.resolve("llama-mha"));
    private static final Base BERT =
            Base.load(BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "b", "c")));

    private static Batch texts() {
        return LossFunctionTest.batch(
                new Target.Tokens(new int[] {-100, 8, 3, -100, 9}), new Target.Tokens(new int[] {-100, 4, 5, 6, 7, 8}));
    }

    /** An adapter whose parameters have all moved. */
    private static Adapter moved(Base base, Method method, String name) {
        Adapter adapter = Adapter.create(base, method, 1);
        adapter.trainable()
                .forEach((key, value) ->
                        value.detach().add_(Rng.of(1, name + key).normal(0, 0.2, Tensors.shape(value))));
        return adapter;
    }

    private static Teacher teacher(Adapter adapter) {
        return new Teacher(adapter.base(), Selection.of(adapter).hooks(), "teacher");
    }

    private static Map<String, double[]> gradients(Adapter adapter) {
        Map<String, double[]> gradients = new TreeMap<>();
        adapter.trainable().forEach((key, value) -> {
            gradients.put(key, Tensors.doubles(value.grad()));
            value.grad().zero_();
        });
        return gradients;
    }

    private static Tensor divergence(Tensor own, Tensor said, double temperature) {
        Tensor log = Ops.scale(own, 1 / temperature).log_softmax(-1);
        Tensor wanted = Ops.scale(said, 1 / temperature).log_softmax(-1);
        return Ops.scale(wanted.exp().mul(wanted.sub(log)).sum(), temperature * temperature);
    }

    private static Tensor crossEntropy(Tensor logits, long[] labels) {
        return torch.cross_entropy_loss(
                logits, Tensors.of(labels, labels.length), new TensorOptional(), 2, Target.NONE, 0);
    }

    /** The loss of the labelled tokens of {@link #texts}, by logits of the whole batch. */
    private static double whole(Adapter student, Teacher teacher, double temperature, double weight) {
        Batch batch = texts();
        ForwardPass pass = ForwardPass.training(Selection.of(student).hooks());
        Tensor own = LLAMA.logits(LossFunction.inputs(batch), pass);
        Tensor said = teacher.base().logits(LossFunction.inputs(batch), ForwardPass.inference(teacher.hooks()));
        Tensor at = Tensors.of(new long[] {0, 1, 3, 6, 7, 8, 9, 10}, 8);
        Tensor rows = own.reshape(-1, own.size(2)).index_select(0, at);
        Tensor sum = Ops.scale(crossEntropy(rows, new long[] {8, 3, 9, 4, 5, 6, 7, 8}), 1 - weight)
                .add(Ops.scale(
                        divergence(
                                rows,
                                said.reshape(-1, said.size(2))
                                        .index_select(0, at)
                                        .detach(),
                                temperature),
                        weight));
        Ops.scale(sum, 1.0 / 8).backward();
        pass.backward();
        return Tensors.item(sum) / 8;
    }

    @ParameterizedTest
    @CsvSource({"1, 0.5", "2, 0.3", "4, 1"})
    void tokensGiveTheLossAndTheGradientsOfTheFormula(double temperature, double weight) {
        try (Scope scope = new Scope()) {
            Adapter student = moved(LLAMA, new Lora(LoraConfig.DEFAULT), "student");
            Teacher teacher = teacher(moved(LARGER, new Lora(LoraConfig.DEFAULT), "teacher"));
            Hooks hooks = Selection.of(student).hooks();
            double expected = whole(student, teacher, temperature, weight);
            Map<String, double[]> wanted = gradients(student);
            LossFunction lossFunction =
                    Losses.of(LLAMA, new TrainingObjective.Distill(teacher, temperature, weight), 0);
            Loss loss = lossFunction.backward(hooks, texts(), lossFunction.terms(hooks, texts()));

            assertThat(loss.mean()).isCloseTo(expected, offset(1e-5));
            assertThat(gradients(student))
                    .allSatisfy(
                            (key, values) -> assertThat(values).as(key).containsExactly(wanted.get(key), offset(1e-6)));
        }
    }

    @Test
    void whatTheTeacherSaysIsAFigureOfItsOwn() {
        try (Scope scope = new Scope()) {
            Adapter student = moved(LLAMA, new Lora(LoraConfig.DEFAULT), "student");
            Teacher teacher = teacher(moved(LLAMA, new Lora(LoraConfig.DEFAULT), "teacher"));
            Hooks hooks = Selection.of(student).hooks();
            double plain = Losses.of(LLAMA, 0).backward(hooks, texts(), 8).mean();
            Loss loss = Losses.of(LLAMA, new TrainingObjective.Distill(teacher, 2, 0.25), 0)
                    .backward(hooks, texts(), 8);

            double divergence = loss.metrics().get("distillation").mean();
            assertThat(divergence).isPositive();
            assertThat(loss.mean()).isCloseTo(0.75 * plain + 0.25 * divergence, offset(1e-5));
        }
    }

    @Test
    void aTeacherThatSaysTheSameLeavesTheCrossEntropyAlone() {
        try (Scope scope = new Scope()) {
            Adapter student = moved(LLAMA, new Lora(LoraConfig.DEFAULT), "student");
            Hooks hooks = Selection.of(student).hooks();
            Losses.of(LLAMA, 0).backward(hooks, texts(), 8);
            Map<String, double[]> plain = gradients(student);
            Losses.of(LLAMA, new TrainingObjective.Distill(teacher(student), 3, 0.5), 0)
                    .backward(hooks, texts(), 8);

            assertThat(gradients(student)).allSatisfy((key, values) -> {
                for (int i = 0; i < values.length; i++) {
                    assertThat(values[i]).isCloseTo(plain.get(key)[i] / 2, offset(1e-6));
                }
            });
        }
    }

    /** The same hidden states stand elsewhere behind a prompt; a token that only a prompt predicts has no teacher. */
    @Test
    void promptsOfStudentAndTeacherAreLeftOut() {
        try (Scope scope = new Scope()) {
            Adapter prompt = moved(LLAMA, new PromptTuning(3, PromptTuning.Init.SAMPLE_VOCAB, null, null), "prompt");
            Hooks hooks = Selection.of(prompt).hooks();
            Batch whole = LossFunctionTest.batch(
                    new Target.Tokens(new int[] {7, 8, 3, -100, 9}), new Target.Tokens(new int[] {5, 4, 5, 6, 7, 8}));
            LossFunction toItself = Losses.of(LLAMA, new TrainingObjective.Distill(teacher(prompt), 2, 1), 0);
            Loss same = toItself.backward(hooks, whole, 1);
            assertThat(same.terms()).isEqualTo(10);
            assertThat(same.sum()).isCloseTo(0, offset(1e-5));

            Teacher plain = new Teacher(LLAMA, Hooks.NONE, "base");
            Loss all = Losses.of(LLAMA, new TrainingObjective.Distill(plain, 2, 1), 0)
                    .backward(hooks, whole, 1);
            Loss later = Losses.of(LLAMA, new TrainingObjective.Distill(plain, 2, 1), 0)
                    .backward(hooks, texts(), 1);
            assertThat(all.sum()).isPositive().isCloseTo(later.sum(), offset(1e-5));
        }
    }

    /** In bf16 both sides read the head alike, so that its rounding isn't learnt. */
    @Test
    void aTeacherThatSaysTheSameInBf16IsAlmostSilent() {
        try (Scope scope = new Scope()) {
            Base small = Base.load(
                    BASES.resolve("llama-gqa"), Base.Options.of(Task.CAUSAL_LM).withNumerics(Numerics.BF16));
            // Logits of tens, which bf16 tells apart by eighths
            long[] shape = Tensors.shape(small.head().output().weight());
            Base base = small.withParameters(
                    Map.of("lm_head.weight", Rng.of(1, "head").normal(0, 4, shape)));
            Adapter student = moved(base, new Lora(LoraConfig.DEFAULT), "student");
            Hooks hooks = Selection.of(student).hooks();
            Losses.of(base, 0).backward(hooks, texts(), 8);
            double plain = size(gradients(student));
            Loss same = Losses.of(base, new TrainingObjective.Distill(teacher(student), 1, 1), 0)
                    .backward(hooks, texts(), 8);

            assertThat(same.mean()).isCloseTo(0, offset(1e-6));
            assertThat(size(gradients(student))).isLessThan(plain / 1000);
        }
    }

    private static double size(Map<String, double[]> gradients) {
        return Math.sqrt(gradients.values().stream()
                .flatMapToDouble(Arrays::stream)
                .map(value -> value * value)
                .sum());
    }

    @Test
    void rowsOfClassesGiveTheFormulaToo() {
        try (Scope scope = new Scope()) {
            Batch batch = LossFunctionTest.batch(new Target.ClassId(2), new Target.ClassId(0));
            Adapter student = moved(BERT, new Lora(LoraConfig.DEFAULT), "student");
            Teacher teacher = teacher(moved(BERT, new Lora(LoraConfig.DEFAULT), "teacher"));
            Hooks hooks = Selection.of(student).hooks();
            ForwardPass pass = ForwardPass.training(hooks);
            Tensor own = BERT.logits(LossFunction.inputs(batch), pass);
            Tensor said;
            try (NoGrad noGrad = new NoGrad()) {
                said = BERT.logits(LossFunction.inputs(batch), ForwardPass.inference(teacher.hooks()));
            }
            Tensor sum =
                    Ops.scale(crossEntropy(own, new long[] {2, 0}), 0.7).add(Ops.scale(divergence(own, said, 2), 0.3));
            Ops.scale(sum, 0.5).backward();
            pass.backward();
            Map<String, double[]> wanted = gradients(student);

            Loss loss = Losses.of(BERT, new TrainingObjective.Distill(teacher, 2, 0.3), 0)
                    .backward(hooks, batch, 2);
            assertThat(loss.sum()).isCloseTo(Tensors.item(sum), offset(1e-5));
            assertThat(gradients(student))
                    .allSatisfy(
                            (key, values) -> assertThat(values).as(key).containsExactly(wanted.get(key), offset(1e-6)));
        }
    }

    @Test
    void whatCanNotBeLearntFromATeacherIsRefused() {
        Teacher llama = new Teacher(LLAMA, Hooks.NONE, "llama");
        assertThatThrownBy(() -> Losses.of(BERT, new TrainingObjective.Distill(llama, 2, 0.5), 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has a head for");
        Base others = Base.load(
                BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "c", "b")));
        assertThatThrownBy(() -> Losses.of(
                        BERT, new TrainingObjective.Distill(new Teacher(others, Hooks.NONE, "bert"), 2, 0.5), 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has the classes a, c, b");
        assertThatThrownBy(() -> new TrainingObjective.Distill(llama, 0, 0.5))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("distillation.temperature is 0.0");
        assertThatThrownBy(() -> new TrainingObjective.Distill(llama, 1, 1.5))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("distillation.weight is 1.5");
        Adapter student = Adapter.create(BERT, new Lora(LoraConfig.DEFAULT), 1);
        Teacher bert = new Teacher(BERT, Hooks.NONE, "bert");
        Batch hot = LossFunctionTest.batch(new Target.MultiHot(new float[] {1, 0, 1}));
        assertThatThrownBy(() -> Losses.of(BERT, new TrainingObjective.Distill(bert, 2, 0.5), 0)
                        .backward(Selection.of(student).hooks(), hot, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("one label a row");
    }
}
