package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdaMssTest extends MethodContract {
    private static AdaMss of(int r, int subspaces, boolean startAtZero) {
        return new AdaMss(r, subspaces, 1, false, 0.1, 0, SubspaceAllocation.OFF, TargetModules.DEFAULT, startAtZero);
    }

    @Override
    protected List<Case> cases() {
        int square = 3 * 8 + 32;
        return List.of(
                new Case(
                        Bases.BERT,
                        of(8, 3, true).withTargets(TargetModules.ALL_LINEAR),
                        2 * (5 * square + 3 * 8 + 64) + square,
                        true),
                new Case(Bases.LLAMA, of(8, 2, true), 2 * (2 * 2 * 8 + 32 + 16), true),
                new Case(
                        Bases.LLAMA,
                        moved(),
                        2 * (2 * 2 * 100 + 32 + 16) - 4 * 2 * (100 - 32) + 2 * 2 * (16 - 32),
                        false));
    }

    /** All directions, and a start that changes the output enough to be seen. */
    private static AdaMss moved() {
        return of(100, 2, false);
    }

    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    @Test
    void findsTheRowsOfAPeftFileAgain(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, of(8, 2, true), 1);
        adapter.save(folder.resolve("adamss"));
        Files.delete(folder.resolve("adamss/graft.safetensors"));
        Adapter again = Adapter.load(base, folder.resolve("adamss"));
        String rows = "model.layers.0.self_attn.q_proj.adamss_rows";

        assertThat(Tensors.bytes(again.value(rows))).isEqualTo(Tensors.bytes(adapter.value(rows)));
    }

    @Test
    void ranksFollowWhatIsSignificant() {
        AdaMss dynamic = new AdaMss(8, 2, 6, true, 0.3, 0, SubspaceAllocation.OFF, TargetModules.DEFAULT, true);
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), dynamic, 1);
        List<Long> ranks = adapter.trainable().entrySet().stream()
                .filter(entry -> entry.getKey().contains("adamss_A"))
                .map(entry -> entry.getValue().size(0))
                .toList();

        assertThat(ranks)
                .allSatisfy(rank -> assertThat(rank).isBetween(1L, 6L))
                .anySatisfy(rank -> assertThat(rank).isLessThan(6L));
    }

    @Test
    void leavesTheMostImportantSubspacesAndHoldsTheOthers() {
        Base base = Bases.load(Bases.LLAMA);
        SubspaceAllocation allocation = new SubspaceAllocation(true, 3, 1, 5, 2, 0.85, 0.85, 1);
        AdaMss method = moved().withAllocation(allocation);
        Adapter adapter = Adapter.create(base, method, 1);
        TrainingRule rule = method.trainingRule(adapter, new TrainingRule.Run(8, 8, 0.1, 1));

        assertThat(allocation.left(1, 8)).isEqualTo(8);
        assertThat(allocation.left(5, 8)).isEqualTo(3);
        long[] expected = {8, 8, 6, 6, 4, 4, 4};
        for (int step = 0; step < expected.length; step++) {
            Map<String, double[]> before = values(adapter);
            step(adapter, rule, step);
            Map<String, double[]> after = values(adapter);
            long stayed = before.keySet().stream()
                    .filter(key -> java.util.Arrays.equals(before.get(key), after.get(key)))
                    .count();
            long learnt = rule.state().entrySet().stream()
                    .filter(entry -> entry.getKey().endsWith(".learns"))
                    .filter(entry -> Tensors.item(entry.getValue()) != 0)
                    .count();
            assertThat(learnt).as("after step %d", step).isEqualTo(expected[step]);
            assertThat(stayed).as("in step %d", step).isEqualTo(step == 0 ? 0 : 2 * (8 - expected[step - 1]));
        }
    }

    private static Map<String, double[]> values(Adapter adapter) {
        return adapter.trainable().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> Tensors.doubles(entry.getValue())));
    }

    private static void step(Adapter adapter, TrainingRule rule, int step) {
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        Tensor logits = adapter.base().logits(adapter.base().forward(Bases.batch(), pass), pass);
        logits.square().sum().backward();
        pass.backward();
        rule.beforeUpdate(step);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().values().forEach(value -> value.sub_(value.grad(), new Scalar(1e-4)));
        }
        rule.afterUpdate(step, 1e-4);
        adapter.trainable().values().forEach(value -> value.mutable_grad().zero_());
    }

    @Test
    void refusesWhatHasNoMeaning() {
        assertThatThrownBy(() -> of(0, 2, true)).hasMessageContaining("r is 0");
        assertThatThrownBy(() -> new SubspaceAllocation(true, 3, 5, 5, 1, 0.85, 0.85, 3))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_warmup is 5");
        assertThatThrownBy(() -> new SubspaceAllocation(true, 0, 1, 5, 1, 0.85, 0.85, 3))
                .hasMessageContaining("asa_target_subspaces is 0");
    }
}
