package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.Goldens;
import dev.graft.tensor.NoGrad;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class MadGTest extends MethodContract {
    private static MadG of(List<List<Double>> languages) {
        return new MadG(languages, 5, 3, 0.5, "tanh");
    }

    @Override
    protected List<Case> cases() {
        MadG one = of(List.of(List.of(1.0, 0.0, -3.0)));
        long count = 5 * 3 + 2 * 3 + 8L * (2 * 32 * 64 + 64 + 32);
        return List.of(new Case(Bases.BERT, one, count, false), new Case(Bases.LLAMA, one, count, false));
    }

    @Test
    void givesWhatPyTorchComputesByThePapersFormula() {
        Goldens.compare("mad-g", 3);
    }

    /** E and G are linear, so what they make for a language between two others is between what they make for those. */
    @Test
    void languagesNearInTheirFeaturesGetSimilarAdapters() {
        Base base = Bases.load(Bases.LLAMA);
        List<Double> one = List.of(9.0, 0.0, 9.0);
        List<Double> near = List.of(9.0, 0.5, 9.0);
        List<Double> far = List.of(-9.0, 9.0, 0.0);
        Adapter adapter = Adapter.create(base, of(List.of(one, near, far)), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().values().forEach(value -> value.mul_(new Scalar(3.0)));
        }
        Tensor first = logits(base, adapter, 0);
        double toNear =
                Bases.difference(first, logits(base, adapter, 1), Bases.batch().mask());
        double toFar =
                Bases.difference(first, logits(base, adapter, 2), Bases.batch().mask());

        assertThat(toNear).isGreaterThan(0).isLessThan(toFar / 3);
        assertThat(adapter.trainableCount())
                .isEqualTo(Adapter.create(base, of(List.of(one)), 1).trainableCount());
    }

    private static Tensor logits(Base base, Adapter adapter, int language) {
        return base.logits(
                Bases.batch(),
                ForwardPass.inference(Selection.of(adapter.task(language)).hooks()));
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> of(List.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("languages is empty");
        assertThatThrownBy(() -> of(List.of(List.of(1.0), List.of(1.0, 2.0))))
                .hasMessageContaining("languages isn't a table");
        assertThatThrownBy(() -> new MadG(List.of(List.of(1.0)), 0, 1, 8, "relu"))
                .hasMessageContaining("embedding_size is 0");
    }
}
