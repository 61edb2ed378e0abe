package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.Cpt;
import dev.graft.peft.methods.prompt.PTuning;
import dev.graft.peft.methods.prompt.PTuningV2;
import dev.graft.peft.methods.prompt.PrefixTuning;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DataParallelTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");
    private static final LoraConfig LORA = LoraConfig.DEFAULT
            .withR(4)
            .withAlpha(8)
            .withTargets(TargetModules.ALL_LINEAR)
            .withInit(LoraInits.of("false"));

    private static Base llama(Numerics numerics) {
        return Base.load(BASES.resolve("llama-gqa"), Base.Options.DEFAULT.withNumerics(numerics));
    }

    private static Batch batch(int... lengths) {
        Random random = new Random(5);
        List<Example> rows = new ArrayList<>();
        for (int row = 0; row < lengths.length; row++) {
            int[] ids = new int[lengths[row]];
            Arrays.setAll(ids, i -> 3 + random.nextInt(60));
            rows.add(new Example(row, ids, null, new Target.Tokens(ids)));
        }
        return Batch.of(rows, 0);
    }

    private static float[] gradients(Adapter adapter, int threads, Batch batch) {
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, threads)) {
            workers.backward(List.of(batch), batch.lossTerms(), 1, 1, false);
            return Tensors.floats(parameters.gradients());
        }
    }

    /** The first step of a process is checked, so a run that goes on would end with other bits. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void lookingForParametersThatAreNotReachedAndGivingBackMemoryChangeNoBit(int threads) {
        Adapter adapter = Adapter.create(llama(Numerics.BF16), new Lora(LORA), 42);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        List<Batch> batches = List.of(batch(9, 4, 30), batch(12), batch(40, 7));
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, threads)) {
            workers.backward(batches, 96, 1, 1, false);
            float[] plain = Tensors.floats(parameters.gradients());
            workers.trimBetweenBatches();
            assertThat(workers.backward(batches, 96, 1, 1, true).unreached()).isEmpty();
            assertThat(Tensors.floats(parameters.gradients())).isEqualTo(plain);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void expertsAreBalancedOverAStepHoweverItIsCut(int threads) {
        Adapter adapter = Adapter.create(Base.load(BASES.resolve("qwen3-moe")), new Lora(LORA), 42);
        Batch first = batch(9, 4);
        Batch second = batch(11, 7, 12);
        List<Example> rows = new ArrayList<>();
        for (Batch batch : List.of(first, second)) {
            for (int row = 0; row < batch.rows(); row++) {
                int from = row * batch.width();
                int length = (int) Arrays.stream(batch.attentionMask(), from, from + batch.width())
                        .sum();
                int[] ids = Arrays.stream(batch.ids(), from, from + length)
                        .mapToInt(id -> (int) id)
                        .toArray();
                rows.add(new Example(rows.size(), ids, null, new Target.Tokens(ids)));
            }
        }
        Batch whole = Batch.of(rows, 0);
        float[] one = gradients(adapter, 1, whole);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        try (DataParallel workers = new DataParallel(Losses.of(adapter.base(), 0), adapter, parameters, threads)) {
            var result = workers.backward(List.of(first, second), whole.lossTerms(), 1, 1, false);
            float[] parts = Tensors.floats(parameters.gradients());
            for (int i = 0; i < one.length; i++) {
                assertThat(parts[i]).isCloseTo(one[i], within(2e-6f));
            }
            try (DataParallel alone = new DataParallel(Losses.of(adapter.base(), 0), adapter, parameters, 1)) {
                assertThat(result.loss().mean())
                        .isCloseTo(
                                alone.backward(List.of(whole), whole.lossTerms(), 1, 1, false)
                                        .loss()
                                        .mean(),
                                within(1e-6));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 8})
    void anyNumberOfThreadsGivesTheGradientOfOne(int threads) {
        Adapter adapter = Adapter.create(llama(Numerics.FP32), new Lora(LORA), 42);
        Batch batch = batch(9, 4, 30, 7, 12);
        float[] one = gradients(adapter, 1, batch);
        float[] many = gradients(adapter, threads, batch);
        assertThat(many).hasSameSizeAs(one);
        for (int i = 0; i < one.length; i++) {
            assertThat(many[i]).isCloseTo(one[i], within(2e-6f));
        }
        assertThat(gradients(adapter, threads, batch)).isEqualTo(many);
    }

    /** Formulas and graphs must agree: the same loss by autograd alone, in fp64. */
    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void gradientIsThatOfAutograd(String method) {
        Adapter adapter =
                Adapter.create(llama(Numerics.FP64), method.equals("lora") ? new Lora(LORA) : new Dora(LORA), 42);
        Batch batch = batch(60, 44);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, 1)) {
            workers.backward(List.of(batch), 1, 1, 1, false);
        }
        double[] formula = Tensors.doubles(parameters.gradients());
        parameters.zeroGradients();
        try (Scope scope = new Scope()) {
            Tensor logits = adapter.base()
                    .logits(
                            LossFunction.inputs(batch),
                            ForwardPass.inference(Selection.of(adapter).hooks()));
            Tensor loss = Ops.scale(logits.narrow(0, 0, 1).sum(), 0);
            for (int row = 0; row < batch.rows(); row++) {
                Tensor predicted = logits.select(0, row)
                        .narrow(0, 0, batch.lengths()[row] - 1)
                        .log_softmax(-1);
                for (int i = 1; i < batch.lengths()[row]; i++) {
                    loss = loss.sub(predicted.select(0, i - 1).select(0, batch.ids()[row * batch.width() + i]));
                }
            }
            loss.backward();
        }
        double[] autograd = Tensors.doubles(parameters.gradients());
        for (int i = 0; i < formula.length; i++) {
            assertThat(formula[i]).isCloseTo(autograd[i], within(1e-9 * (1 + Math.abs(autograd[i]))));
        }
    }

    private static Method method(String name) {
        return switch (name) {
            case "lora" -> new Lora(LORA);
            case "prompt-tuning" -> new PromptTuning(7, PromptTuning.Init.SAMPLE_VOCAB, null, null);
            case "p-tuning" -> new PTuning(7, PTuning.Encoder.MLP, null, 2, 0, null);
            case "prefix-tuning" -> new PrefixTuning(7, null, false);
            case "p-tuning-v2" -> new PTuningV2(7, PTuningV2.DEFAULT.init());
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** Long texts stand in one row, behind the prompt or prefix that they share: gradients are those of rows. */
    @ParameterizedTest
    @CsvSource({
        "llama-gqa, lora, 1",
        "llama-gqa, lora, 2",
        "mistral, lora, 2",
        "gpt2, lora, 2",
        "llama-gqa, prompt-tuning, 1",
        "llama-gqa, prompt-tuning, 2",
        "llama-gqa, p-tuning, 2",
        "llama-gqa, prefix-tuning, 1",
        "llama-gqa, p-tuning-v2, 2",
        "mistral, prompt-tuning, 2",
        "gpt2, prefix-tuning, 2"
    })
    void textsInOneRowGiveTheGradientOfRows(String name, String method, int threads) {
        Base base = Base.load(BASES.resolve(name), Base.Options.DEFAULT.withNumerics(Numerics.FP64));
        Adapter adapter = Adapter.create(base, method(method), 42);
        int longest = base.backbone().maxPositions() - 7;
        Batch batch = batch(Math.min(longest, 200), 50, Math.min(longest, 61), 49, 30);
        assertThat(batch.canPack(false)).isTrue();
        assertThat(base.supportsPacking(Selection.of(adapter).hooks())).isTrue();
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        try (DataParallel workers = new DataParallel(Losses.of(base, 0), adapter, parameters, threads)) {
            double packed =
                    workers.backward(List.of(batch), 100, 1, 1, false).loss().mean();
            double[] gradients = Tensors.doubles(parameters.gradients());
            workers.keepRows();
            double rows =
                    workers.backward(List.of(batch), 100, 1, 1, false).loss().mean();
            assertThat(packed).isCloseTo(rows, within(1e-12));
            assertThat(gradients).hasSameSizeAs(Tensors.doubles(parameters.gradients()));
            double[] expected = Tensors.doubles(parameters.gradients());
            for (int i = 0; i < expected.length; i++) {
                assertThat(gradients[i]).isCloseTo(expected[i], within(1e-10 * (1 + Math.abs(expected[i]))));
            }
        }
    }

    /** Distances, windows and positions are those of a text behind a prompt of its own, in every family. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "codegen",
                "exaone4",
                "falcon",
                "gemma2",
                "gemma3",
                "gpt-bigcode",
                "gpt-neo",
                "gpt-neox",
                "gpt2",
                "gptj",
                "llama-dynamic",
                "llama4",
                "mistral",
                "mixtral",
                "olmo2",
                "olmo3",
                "opt",
                "phi",
                "phi3-longrope",
                "qwen2-window",
                "smollm3",
                "stablelm"
            })
    void textsReadOnFromAPromptThatTheyShare(String name) {
        Base base =
                Base.load(BASES.resolve(name), Base.Options.of(Task.CAUSAL_LM).withNumerics(Numerics.FP64));
        int longest = Math.min(60, base.backbone().maxPositions() - 7);
        Batch rows = batch(longest, longest / 2, longest / 3, longest - 2);
        LossFunction lossFunction = Losses.of(base, 0);
        for (String method : List.of("prompt-tuning", "prefix-tuning")) {
            Adapter adapter = Adapter.create(base, method(method), 42);
            Hooks hooks = Selection.of(adapter).hooks();
            assertThat(lossFunction.canPack(hooks)).isTrue();
            Batch packed = rows.packed(1, lossFunction.hasPrompt(hooks)).get(0);
            FlatParameters parameters = new FlatParameters(adapter.trainable());
            Loss expected = lossFunction.backward(hooks, rows, 100);
            double[] gradients = Tensors.doubles(parameters.gradients());
            parameters.zeroGradients();
            Loss loss = lossFunction.backward(hooks, packed, 100);
            assertThat(loss.terms()).isEqualTo(expected.terms());
            assertThat(loss.mean()).isCloseTo(expected.mean(), within(1e-12));
            double[] shared = Tensors.doubles(parameters.gradients());
            double largest = Arrays.stream(gradients).map(Math::abs).max().orElseThrow();
            assertThat(shared)
                    .as(method)
                    .usingComparatorWithPrecision(1e-9 * largest)
                    .containsExactly(gradients);
            parameters.zeroGradients();
            Losses.of(base, 0, (own, batch) -> ForwardPass.training(own).checkpointed())
                    .backward(hooks, packed, 100);
            assertThat(Tensors.doubles(parameters.gradients()))
                    .as(method)
                    .usingComparatorWithPrecision(1e-12 * largest)
                    .containsExactly(shared);
        }
    }

    /** Distances of ALiBi begin where a text does; a mixture's balance counts a prompt once for each text. */
    @ParameterizedTest
    @ValueSource(strings = {"bloom", "mpt", "qwen3-moe"})
    void wherePromptsCantBeSharedRowsHaveTheirOwn(String name) {
        Base base = Base.load(BASES.resolve(name));
        LossFunction lossFunction = Losses.of(base, 0);
        assertThat(lossFunction.canPack(
                        Selection.of(Adapter.create(base, new Lora(LORA), 1)).hooks()))
                .isTrue();
        assertThat(lossFunction.canPack(Selection.of(Adapter.create(base, method("prompt-tuning"), 1))
                        .hooks()))
                .isFalse();
    }

    /** DoRA has no formula; CPT predicts at its prompt, once for each row. */
    @Test
    void methodsThatSeeRowsKeepThem() {
        Base base = llama(Numerics.FP32);
        for (Method method : List.of(new Dora(LORA), Cpt.of(List.of(5, 6), List.of(2, 4)))) {
            assertThat(base.supportsPacking(
                            Selection.of(Adapter.create(base, method, 1)).hooks()))
                    .as("%s", method)
                    .isFalse();
        }
    }

    @Test
    void shortTextsStandInOneRowWhereThatSavesPrompts() {
        Batch batch = batch(10, 20, 30);
        assertThat(batch.canPack(false)).isFalse();
        assertThat(batch.canPack(true)).isTrue();
    }

    @Test
    void everyParameterIsReachedThoughSomePartHasNoRows() {
        Adapter adapter = Adapter.create(llama(Numerics.FP32), new Lora(LORA), 42);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, 2)) {
            assertThat(workers.backward(List.of(batch(6)), 5, 1, 1, true).unreached())
                    .isEmpty();
        }
    }

    @Property(tries = 200)
    void partsHoldEveryRowOnceAndAllTerms(
            @ForAll @Size(min = 1, max = 20) List<@IntRange(min = 2, max = 40) Integer> lengths,
            @ForAll @IntRange(min = 1, max = 6) int most) {
        Batch batch = batch(lengths.stream().mapToInt(Integer::intValue).toArray());
        List<Batch> parts = batch.parts(most);
        assertThat(parts).hasSizeLessThanOrEqualTo(most);
        assertThat(parts.stream().mapToInt(Batch::lossTerms).sum()).isEqualTo(batch.lossTerms());
        assertThat(parts.stream().mapToInt(Batch::realTokens).sum()).isEqualTo(batch.realTokens());
        assertThat(parts.stream()
                        .flatMapToInt(part -> Arrays.stream(part.rowIndices()))
                        .sorted())
                .containsExactlyElementsOf(
                        Arrays.stream(batch.rowIndices()).boxed().toList());
        for (Batch part : parts) {
            for (int row = 0; row < part.rows(); row++) {
                int original = part.rowIndices()[row];
                for (int i = 0; i < part.lengths()[row]; i++) {
                    assertThat(part.ids()[row * part.width() + i]).isEqualTo(batch.ids()[original * batch.width() + i]);
                }
            }
        }
    }
}
