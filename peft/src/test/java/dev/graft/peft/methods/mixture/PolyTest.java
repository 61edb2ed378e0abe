package dev.graft.peft.methods.mixture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class PolyTest extends MethodContract {
    private static final Path FIXTURE = Bases.FIXTURES.resolve("adapters/llama-gqa/poly");

    @Override
    protected List<Case> cases() {
        TargetModules all = TargetModules.ALL_LINEAR;
        TargetModules some = TargetModules.names("q_proj", "v_proj");
        Poly heads = new Poly(4, some, 3, 3, 2, false);
        // BERT's layers have 4 · 2 · 32 + 2 · (32 + 64) inputs and outputs, its pooler 64.
        long bert = 3 * 2 * (2 * (4 * 64 + 2 * 96) + 64) + 13 * 2 * 3;
        long llama = 2 * (3 * 4 * (64 + 48) + 2 * 3 * 6);
        return List.of(
                new Case(Bases.BERT, new Poly(2, all, 2, 3, 1, true), bert, true),
                new Case(Bases.LLAMA, new Poly(4, some, 1, 3, 1, true), 2 * (3 * 4 * (64 + 48) + 2 * 3), true),
                new Case(Bases.LLAMA, heads, llama, false),
                new Case(Bases.TIED, new Poly(2, some, 2, 4, 4, true), 2 * 2 * (4 * 2 * 64 + 2 * 16), true));
    }

    @Test
    void givesEachRowWhatPeftComputesForItsTask() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.load(base, FIXTURE);
        try (Safetensors stored = Safetensors.open(FIXTURE.resolve("reference.safetensors"));
                Safetensors input = Safetensors.open(Bases.FIXTURES.resolve("bases/llama-gqa/reference.safetensors"))) {
            long[] shape = input.info("input_ids").shape();
            Tensor mask = Tensors.of(input.bytes("attention_mask"), ScalarType.Long, shape);
            Inputs inputs = Inputs.of(Tensors.of(input.bytes("input_ids"), ScalarType.Long, shape), mask);
            int[] tasks = Arrays.stream(Tensors.longs(Tensors.of(
                            stored.bytes("task_ids"),
                            ScalarType.Long,
                            stored.info("task_ids").shape())))
                    .mapToInt(Math::toIntExact)
                    .toArray();
            Hooks hooks = TaskHooks.of(adapter).forTasks(tasks);

            assertThat(Bases.difference(
                            base.logits(inputs, ForwardPass.inference(hooks)),
                            Tensors.of(
                                    stored.tensor("logits").floats(),
                                    stored.info("logits").shape()),
                            mask))
                    .isLessThan(1e-5);
            assertThat(Arrays.stream(tasks).distinct().count()).isGreaterThan(1);
        }
    }

    @Test
    void drawsOtherSharesInEachStep() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, new Poly(4, TargetModules.names("q_proj"), 2, 3, 1, false), 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(10, 10, 1e-3, 1));
        Hooks one = Selection.of(adapter.task(1)).hooks();
        Tensor still = base.logits(Bases.batch(), ForwardPass.inference(one));

        rule.beforeStep(0);
        Tensor first =
                base.logits(Bases.batch(), ForwardPass.training(one)).detach().clone();
        rule.beforeStep(1);
        Tensor second =
                base.logits(Bases.batch(), ForwardPass.training(one)).detach().clone();
        rule.beforeStep(0);
        Tensor again = base.logits(Bases.batch(), ForwardPass.training(one)).detach();

        assertThat(again.equal(first)).isTrue();
        assertThat(Bases.difference(first, second, Bases.batch().mask())).isGreaterThan(1e-3);
        assertThat(base.logits(Bases.batch(), ForwardPass.inference(one)).equal(still))
                .isTrue();
    }

    @Test
    void refusesRowsWithoutATaskAndSplitsThatDontFit() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.load(base, FIXTURE);
        assertThatThrownBy(() -> base.logits(Bases.batch(), ForwardPass.inference(TaskHooks.of(adapter))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("rows must name theirs");
        assertThatThrownBy(() -> Adapter.create(base, new Poly(4, TargetModules.names("q_proj"), 2, 3, 5, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("n_splits is 5");
    }
}
