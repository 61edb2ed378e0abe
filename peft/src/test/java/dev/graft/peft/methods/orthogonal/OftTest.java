package dev.graft.peft.methods.orthogonal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OftTest extends MethodContract {
    private static final Oft EIGHT = Oft.DEFAULT.withBlock(8);
    private static final String Q = "model.layers.0.self_attn.q_proj";

    private static Oft exact(double dropout, boolean coft, double eps, boolean share) {
        return new Oft(0, 8, dropout, coft, eps, share, false, 5, TargetModules.DEFAULT, Bias.NONE, true);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, EIGHT, 2 * (5 * 112 + 224) + 112, true),
                new Case(Bases.LLAMA, EIGHT, 2 * (6 * 112 + 224), true),
                new Case(Bases.TIED, EIGHT.withTargets(TargetModules.names("embed_tokens", "q_proj")), 3 * 112, true),
                new Case(Bases.LLAMA, exact(0, false, 6e-5, true), 4 * 28, true),
                // So wide a bound that it changes nothing, and the gradient is the derivative
                new Case(Bases.LLAMA, exact(0, true, 50, false), 4 * 112, true),
                new Case(
                        Bases.LLAMA,
                        new Oft(4, 0, 0, false, 6e-5, false, true, 3, TargetModules.DEFAULT, Bias.NONE, false),
                        4 * 112,
                        false));
    }

    private static Adapter moved(Base base, Oft method) {
        Adapter adapter = Adapter.create(base, method, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(1, key).normal(0, 0.3, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor rows(Base base) {
        Linear layer = base.site(Linear.class, Q);
        return layer.weight().matmul(layer.weight().t());
    }

    /** The exact form keeps the products of the rows of W, the first terms of the series nearly. */
    @Test
    void keepsTheAnglesBetweenTheRowsOfTheWeight() {
        Base base = Bases.load(Bases.LLAMA);
        Tensor before = rows(base);
        Tensor exact = rows(Merge.merge(moved(base, exact(0, false, 6e-5, false))));
        Tensor series = rows(Merge.merge(moved(base, EIGHT)));

        assertThat(Bases.difference(exact, before, before)).isLessThan(1e-4);
        assertThat(Bases.difference(series, before, before)).isGreaterThan(1e-3);
    }

    @Test
    void holdsRotationsWithinTheBoundAndSavesThemSo(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = moved(base, exact(0, true, 0.05, false));
        adapter.save(folder.resolve("adapter"));
        Tensor kept = Adapter.load(base, folder.resolve("adapter"))
                .parameters()
                .get(Q + ".oft_R.weight")
                .value();

        // Both halves of each of the four skew-symmetric blocks
        double norm = Math.sqrt(2) * Tensors.item(kept.select(0, 1).norm());
        assertThat(norm).isCloseTo(0.05 / 2, within(1e-6));
        Tensor change = Merge.merge(adapter)
                .site(Linear.class, Q)
                .weight()
                .sub(base.site(Linear.class, Q).weight());
        assertThat(Tensors.item(change.norm())).isBetween(1e-3, 0.5);
    }

    @Test
    void cutsRotationsToTheBoundAfterAStep() {
        Oft method = exact(0, true, 0.05, false);
        Adapter adapter = moved(Bases.load(Bases.LLAMA), method);
        method.trainingRule(adapter, new TrainingRule.Run(10, 5, 1e-3, 1)).afterUpdate(0, 1e-3);

        Tensor cut = adapter.trainable().get(Q + ".oft_R.weight");
        for (int block = 0; block < 4; block++) {
            assertThat(Math.sqrt(2) * Tensors.item(cut.select(0, block).norm())).isCloseTo(0.05 / 2, within(1e-6));
        }
        assertThat(cut.requires_grad()).isTrue();
        assertThat(EIGHT.trainingRule(adapter, new TrainingRule.Run(10, 5, 1e-3, 1)))
                .isSameAs(TrainingRule.NONE);
    }

    @Test
    void dropsBlocksInTraining() {
        Base base = Bases.load(Bases.LLAMA);

        assertThat(effectOfDropout(base, exact(0, false, 6e-5, false))).isLessThan(1e-5);
        assertThat(effectOfDropout(base, exact(0.5, false, 6e-5, false))).isGreaterThan(1e-3);
    }

    @Test
    void takesTheNearestBlockSizeThatDivides() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), EIGHT.withBlock(11), 1);

        assertThat(Tensors.shape(adapter.parameters().get(Q + ".oft_R.weight").value()))
                .containsExactly(4, 28);
        Adapter large = Adapter.create(Bases.load(Bases.LLAMA), EIGHT.withBlock(40), 1);
        assertThat(Tensors.shape(large.parameters().get(Q + ".oft_R.weight").value()))
                .containsExactly(1, 496);
    }

    @Test
    void refusesBothOrNeitherOfTheTwoSizes() {
        assertThatThrownBy(() -> new Oft(4, 8, 0, false, 6e-5, false, true, 5, TargetModules.DEFAULT, Bias.NONE, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 4 and oft_block_size is 8");
        assertThatThrownBy(() -> EIGHT.withBlock(0)).isInstanceOf(InputException.class);
    }
}
