package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class LoraXsTest extends MethodContract {
    private static final LoraXs THREE = LoraXs.DEFAULT.withR(3).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, THREE.withDeviation(0.01), 4 * 9, false),
                new Case(Bases.LLAMA, THREE.withDeviation(0), 4 * 9, true),
                new Case(Bases.LLAMA, THREE.withDeviation(0.5), 4 * 9, false),
                new Case(
                        Bases.TIED,
                        THREE.withR(2).withDeviation(0.01).withTargets(TargetModules.names("q_proj")),
                        2 * 4,
                        false));
    }

    /** The directions are those of the rounded weights, whose signs may differ. */
    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    /** With R = I the update is s times the best approximation of W of that rank: what is left has the other singular values. */
    @Test
    void theFrozenDirectionsAreThoseOfTheWeight() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, THREE.withAlpha(3).withDeviation(0), 1);
        String name = List.copyOf(adapter.trainable().keySet()).get(0).replace(".lora_xs_R.weight", "");
        double[] before = singularValues(base, name);
        try (NoGrad noGrad = new NoGrad()) {
            Tensor square = adapter.trainable().get(name + ".lora_xs_R.weight");
            square.copy_(torch.eye(3));
            double[] after = singularValues(Merge.merge(adapter), name);
            for (int i = 0; i < before.length; i++) {
                assertThat(after[i]).isCloseTo(i < 3 ? 2 * before[i] : before[i], offset(1e-4 * before[0]));
            }
        }
    }

    private static double[] singularValues(Base base, String name) {
        Linear layer = (Linear) base.sites().stream()
                .filter(site -> site.name().equals(name))
                .findFirst()
                .orElseThrow();
        return Tensors.doubles(torch.linalg_svdvals(Ops.to(layer.weight(), ScalarType.Double)));
    }

    @Test
    void takesNoMoreDirectionsThanALayerHas() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, THREE.withR(1000).withTargets(TargetModules.names("k_proj")), 1);
        Linear keys = (Linear) base.sites().stream()
                .filter(site -> site.name().endsWith("k_proj"))
                .findFirst()
                .orElseThrow();
        assertThat(adapter.trainable().values())
                .allMatch(square ->
                        square.size(0) == Math.min(keys.in(), keys.out()) && square.size(1) == square.size(0));
    }

    @Test
    void dropsInputsInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), THREE.withDropout(0.5)))
                .isGreaterThan(1e-4);
    }

    @Test
    void refusesWhatIsOutOfRange() {
        assertThatThrownBy(() -> THREE.withR(0)).hasMessage("r is 0, expected at least 1");
        assertThatThrownBy(() -> THREE.withDeviation(-1))
                .isInstanceOf(InputException.class)
                .hasMessage("init_std is -1.0, expected 0 or more");
    }
}
