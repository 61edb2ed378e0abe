package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.selective.ChildTuning.Variant;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class ChildTuningTest extends MethodContract {
    private static final TrainingRule.Run RUN = new TrainingRule.Run(10, 10, 1e-3, 4);
    private static final String QUERY = "bert.encoder.layer.0.attention.self.query.weight";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, ChildTuning.DEFAULT, Bases.load(Bases.BERT).parameterCount() - (3 * 32 + 3), true),
                new Case(
                        Bases.LLAMA,
                        new ChildTuning(Variant.TASK_FREE, 0.5),
                        Bases.load(Bases.LLAMA).parameterCount(),
                        true));
    }

    private static Adapter withGradients(ChildTuning method, long seed) {
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), method, 1);
        gradients(adapter, seed);
        return adapter;
    }

    private static void gradients(Adapter adapter, long seed) {
        adapter.trainable()
                .forEach((key, value) ->
                        value.mutable_grad().put(Rng.of(seed, key).uniform(1, 2, Tensors.shape(value))));
    }

    private static Tensor gradient(Adapter adapter, String key) {
        return adapter.value(key).grad();
    }

    @Test
    void aRandomShareIsKeptAndMadeUpFor() {
        Adapter adapter = withGradients(new ChildTuning(Variant.TASK_FREE, 0.25), 1);
        Tensor before = gradient(adapter, QUERY).clone();
        Tensor head = gradient(adapter, "classifier.weight").clone();
        adapter.method().trainingRule(adapter, RUN).beforeUpdate(3);
        Tensor ratio = gradient(adapter, QUERY).div(before);

        for (float value : Tensors.floats(ratio)) {
            assertThat(value).isIn(0f, 4f);
        }
        assertThat(Tensors.item(ratio.mean())).isCloseTo(1, offset(0.2));
        assertThat(gradient(adapter, "classifier.weight").equal(head)).isTrue();

        Adapter again = withGradients(new ChildTuning(Variant.TASK_FREE, 0.25), 1);
        TrainingRule rule = again.method().trainingRule(again, RUN);
        rule.beforeUpdate(3);
        assertThat(gradient(again, QUERY).equal(gradient(adapter, QUERY))).isTrue();
        gradients(again, 1);
        rule.beforeUpdate(4);
        assertThat(gradient(again, QUERY).equal(gradient(adapter, QUERY))).isFalse();
    }

    /** Two batches: one whose gradient is large in a matrix, one whose gradient is larger in a bias. */
    @Test
    void theShareWithTheLargestFisherInformationIsKept() {
        Adapter adapter = withGradients(new ChildTuning(Variant.TASK_DRIVEN, 0.04), 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, RUN);
        String bias = "bert.pooler.dense.bias";
        long all = adapter.trainableCount() - (3 * 32 + 3);
        int kept = Math.toIntExact(Math.round(0.04 * all));
        assertThat(kept).isBetween(40, 1024 + 32);
        rule.begin(look -> {
            for (String large : List.of(QUERY, bias)) {
                adapter.trainable().forEach((key, value) -> {
                    Tensor noise = Rng.of(1, key).uniform(0, 0.1, Tensors.shape(value));
                    Tensor own = key.equals(large) ? noise.add(new Scalar(large.equals(bias) ? 9.0 : 3.0)) : noise;
                    value.mutable_grad().put(own);
                });
                look.run();
            }
        });
        adapter.trainable()
                .values()
                .forEach(value -> value.mutable_grad().put(Tensors.ones(value.scalar_type(), Tensors.shape(value))));
        rule.beforeUpdate(0);

        assertThat(Tensors.item(gradient(adapter, bias).sum())).isEqualTo(32);
        assertThat(Tensors.item(gradient(adapter, QUERY).sum())).isEqualTo(kept - 32);
        assertThat(Tensors.item(gradient(adapter, "classifier.bias").sum())).isEqualTo(3);

        // What a decay of the weights did to the others is undone.
        Tensor frozen = adapter.base().parameters().get(QUERY);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().values().forEach(value -> value.mul_(new Scalar(0.5)));
        }
        rule.afterUpdate(0, 1e-3);
        Tensor moved = adapter.value(QUERY).detach().eq(frozen).logical_not();
        assertThat(Tensors.item(moved.to(frozen.scalar_type()).sum())).isEqualTo(kept - 32);
    }

    @Test
    void refusesAShareThatIsNone() {
        assertThatThrownBy(() -> new ChildTuning(Variant.TASK_DRIVEN, 0))
                .isInstanceOf(InputException.class)
                .hasMessage("child_share is 0.0, expected above 0 and at most 1");
    }
}
