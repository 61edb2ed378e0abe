package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.Goldens;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class HyperFormerTest extends MethodContract {
    private static HyperFormer small(int tasks) {
        return new HyperFormer(tasks, List.of(), 4, 6, 5, 8, "tanh");
    }

    @Override
    protected List<Case> cases() {
        long numbers = 2 * 32 * 4 + 4 + 3 * 32;
        long network = 12 * 6 + 6 + 6 * 5 + 5 + 10;
        long count = (1 + 2 + 2) * 4 + network + 6 * numbers;
        return List.of(new Case(Bases.BERT, small(1), count, false), new Case(Bases.LLAMA, small(1), count, false));
    }

    @Test
    void aHundredTasksCostLittleMoreThanOne() {
        Base base = Bases.load(Bases.BERT);
        long one = Adapter.create(base, small(1), 1).trainableCount();

        assertThat(Adapter.create(base, small(100), 1).trainableCount()).isEqualTo(one + 99 * 4);
    }

    @Test
    void givesWhatPyTorchComputesByThePapersFormula() {
        Goldens.compare("hyperformer", 3);
    }

    /** Points of a square, the last one in the middle of the others. */
    private static List<List<Double>> square() {
        List<List<Double>> points = new ArrayList<>();
        for (double x : new double[] {-1, 0, 1}) {
            for (double y : new double[] {-1, 0, 1}) {
                if (x != 0 || y != 0) {
                    points.add(List.of(x, y));
                }
            }
        }
        points.add(List.of(0.0, 0.0));
        return points;
    }

    /** A teacher's outputs for eight tasks are learned; the ninth is never trained, and known by its embedding alone. */
    @Test
    void actsForATaskThatItWasNeverTrainedOn() {
        Base base = Bases.load(Bases.LLAMA);
        HyperFormer method = small(1).withTaskEmbeddings(square());
        Adapter teacher = Adapter.create(base, method, 1);
        try (NoGrad noGrad = new NoGrad()) {
            teacher.trainable().forEach((key, value) -> {
                if (key.contains("generator")) {
                    value.mul_(new Scalar(30.0));
                }
            });
        }
        List<Tensor> wanted = new ArrayList<>();
        for (int task = 0; task < 9; task++) {
            wanted.add(logits(base, Selection.of(teacher.task(task)).hooks()));
        }
        Adapter student = Adapter.create(base, method, 2);
        Map<String, Tensor[]> moments = new LinkedHashMap<>();
        for (int step = 1; step <= 120; step++) {
            List<Selection> rows = new ArrayList<>();
            List<Tensor> targets = new ArrayList<>();
            for (int row = 0; row < 5; row++) {
                int task = (step * 3 + row) % 8;
                rows.add(Selection.of(student.task(task)));
                targets.add(wanted.get(task).narrow(0, row, 1));
            }
            ForwardPass pass = ForwardPass.training(Selection.rows(rows).hooks());
            Tensor miss = base.logits(Bases.batch(), pass).sub(Ops.cat(0, targets.toArray(Tensor[]::new)));
            seen(miss.mul(miss)).backward();
            pass.backward();
            adam(student, moments, step);
        }
        double unseen = error(base, Selection.of(student.task(8)).hooks(), wanted.get(8));
        double before = error(base, Hooks.NONE, wanted.get(8));

        assertThat(before).isGreaterThan(1e-3);
        assertThat(unseen).isLessThan(before / 3);
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks)).detach();
    }

    private static Tensor seen(Tensor squares) {
        return squares.mul(Bases.batch().mask().unsqueeze(-1)).mean();
    }

    private static double error(Base base, Hooks hooks, Tensor wanted) {
        Tensor miss = logits(base, hooks).sub(wanted);
        return Tensors.item(seen(miss.mul(miss)));
    }

    private static void adam(Adapter adapter, Map<String, Tensor[]> moments, int step) {
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().forEach((key, value) -> {
                Tensor gradient = value.grad();
                if (!gradient.defined()) {
                    return;
                }
                Tensor[] m = moments.computeIfAbsent(
                        key, k -> new Tensor[] {gradient.mul(new Scalar(0.0)), gradient.mul(new Scalar(0.0))});
                m[0].mul_(new Scalar(0.9)).add_(gradient, new Scalar(0.1));
                m[1].mul_(new Scalar(0.99)).addcmul_(gradient, gradient, new Scalar(0.01));
                Tensor root =
                        m[1].div(new Scalar(1 - Math.pow(0.99, step))).sqrt_().add_(new Scalar(1e-8));
                value.addcdiv_(m[0], root, new Scalar(-0.02 / (1 - Math.pow(0.9, step))));
                value.mutable_grad().zero_();
            });
        }
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> small(0)).isInstanceOf(InputException.class).hasMessageContaining("tasks is 0");
        assertThatThrownBy(() -> new HyperFormer(2, List.of(List.of(1.0, 2.0)), 2, 6, 5, 8, "relu"))
                .hasMessageContaining("task_embeddings isn't a table of 2 rows with 2");
        assertThatThrownBy(() -> new HyperFormer(1, List.of(), 2, 0, 5, 8, "relu"))
                .hasMessageContaining("inside_size is 0");
    }
}
