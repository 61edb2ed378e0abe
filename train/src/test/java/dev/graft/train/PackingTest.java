package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Methods;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PackingTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");

    private static Examples rows(int count, int maxLength) {
        Random random = new Random(3);
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] ids = random.ints(2 + random.nextInt(9), 3, 60).toArray();
            int[] labels = ids.clone();
            Arrays.fill(labels, 0, random.nextInt(2), -100);
            rows.add(new Row.Tokens(ids, labels));
        }
        return Examples.encode(
                Rows.of("rows", rows), new CausalEncoder(null, null, LossOn.COMPLETION, 64), maxLength, Overflow.ERROR);
    }

    private static Base base(String name) {
        return Base.load(
                FIXTURES.resolve("bases").resolve(name),
                Base.Options.of(Task.CAUSAL_LM).withNumerics(Numerics.FP32));
    }

    private static Map<String, float[]> gradients(Adapter adapter, List<Batch> batches, long terms, Loss[] loss) {
        FlatParameters flat = new FlatParameters(adapter.trainable());
        flat.prepare(0);
        flat.zeroGradients();
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        loss[0] = Loss.NONE;
        for (Batch batch : batches) {
            loss[0] = loss[0].plus(lossFunction.backward(Selection.of(adapter).hooks(), batch, terms));
        }
        Map<String, float[]> gradients = new LinkedHashMap<>();
        try (Scope scope = new Scope()) {
            flat.parameters().forEach((name, parameter) -> gradients.put(name, Tensors.floats(parameter.grad())));
        }
        return gradients;
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, llama-gqa/lora",
        "llama-gqa, llama-gqa/prefix-tuning",
        "gpt2, gpt2/lora-bias-all",
        "mistral, mistral/lora",
        "qwen3, qwen3/lora",
        "gemma2, gemma2/lora",
        "gemma3, gemma3/lora",
        "llama4, llama4/lora",
        "llama4, llama4/lora-parameters",
        "llama3-rope, llama3-rope/lora"
    })
    void packedRowsHaveTheLossAndTheGradientsOfRowsAlone(String base, String adapter) {
        areAsAlone(Adapter.load(base(base), FIXTURES.resolve("adapters").resolve(adapter)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-bigcode", "gpt-neo", "opt", "bloom", "mpt"})
    void packedRowsOfOtherFamiliesDoToo(String base) {
        Adapter own = Adapter.create(base(base), new Lora(LoraConfig.DEFAULT.withTargets(TargetModules.ALL_LINEAR)), 5);
        try (NoGrad noGrad = new NoGrad()) {
            own.trainable().values().forEach(value -> value.add_(new Scalar(0.02)));
        }
        areAsAlone(own);
    }

    private static void areAsAlone(Adapter own) {
        Examples alone = rows(9, 24);
        Examples packed = alone.packed();
        assertThat(packed.size()).isLessThan(5);
        Batch one = packed.batch(IntStream.range(0, packed.size()).toArray(), 0);
        long terms = alone.summary().lossTerms();
        assertThat(Losses.of(own.base(), 0).terms(Selection.of(own).hooks(), one))
                .isEqualTo(terms);

        Loss[] expected = new Loss[1];
        Map<String, float[]> apart = gradients(
                own,
                IntStream.range(0, alone.size())
                        .mapToObj(row -> alone.batch(new int[] {row}, 0))
                        .toList(),
                terms,
                expected);
        Loss[] found = new Loss[1];
        Map<String, float[]> together = gradients(own, one.parts(2), terms, found);
        assertThat(found[0].terms()).isEqualTo(terms);
        assertThat(found[0].sum()).isCloseTo(expected[0].sum(), offset(1e-4 * expected[0].sum()));
        apart.forEach((name, values) -> assertThat(together.get(name)).as(name).containsExactly(values, offset(1e-5f)));
    }

    @Test
    void packsHoldEveryRowOnceAndAreNearlyFull() {
        Examples alone = rows(200, 40);
        Examples packed = alone.packed();
        assertThat(Arrays.stream(packed.lengths()).max().orElseThrow()).isLessThanOrEqualTo(40);
        assertThat(Arrays.stream(packed.lengths()).sum())
                .isEqualTo(Arrays.stream(alone.lengths()).sum());
        assertThat(Arrays.stream(packed.lengths()).average().orElseThrow()).isGreaterThan(36);
        assertThat(packed.get(0).segments()).isNotNull();
    }

    @ParameterizedTest
    @CsvSource({"loreft", "unipelt"})
    void methodsThatReadBeyondARowAreRefusedBeforeTheFirstStep(String method) {
        Adapter adapter =
                Adapter.create(base("llama-gqa"), Methods.named(method).defaults(), 1);
        Examples packed = rows(9, 24).packed();
        Trainer trainer = new Trainer(TrainSettings.DEFAULT.withMaxSteps(1), adapter, packed, null, null, List.of());
        assertThatThrownBy(trainer::run)
                .isInstanceOf(InputException.class)
                .hasMessageContaining("packed rows are not learnt as the same rows alone");
    }

    @Test
    void aRecurrentStateIsRefused() {
        Adapter adapter = Adapter.create(base("rwkv"), new Lora(LoraConfig.DEFAULT), 1);
        Examples packed = rows(9, 24).packed();
        Trainer trainer = new Trainer(TrainSettings.DEFAULT.withMaxSteps(1), adapter, packed, null, null, List.of());
        assertThatThrownBy(trainer::run)
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a recurrent state would go on from one into the next; leave packing out");
    }

    @Test
    void aPackedRunTrainsWithDropout() {
        Adapter adapter = Tiny.lora(Tiny.llama(), 0.3, 7);
        TrainResult result = new Trainer(
                        TrainSettings.DEFAULT
                                .withLearningRate(1e-2)
                                .withEpochs(8)
                                .withBatchSize(2),
                        adapter,
                        rows(9, 24).packed(),
                        null,
                        null,
                        List.of())
                .run();
        assertThat(result.loss()).isLessThan(5);
    }
}
