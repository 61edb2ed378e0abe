package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.TrainingObjective;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A teacher's outputs for a batch: the soft targets of Hinton et al. (2015). The teacher reads the batch in inference mode; its vocabulary
 * head is applied only to the requested positions.
 */
final class SoftTargets {
    /** Tasks for which both sides must name the same classes. */
    private static final Set<Task> CLASSES = EnumSet.of(Task.SEQ_CLS, Task.TOKEN_CLS, Task.IMAGE_CLS);

    private final TrainingObjective.Distill objective;
    private final ForwardPass pass;
    private final HiddenStates hidden;

    private SoftTargets(TrainingObjective.Distill objective, ForwardPass pass, HiddenStates hidden) {
        this.objective = objective;
        this.pass = pass;
        this.hidden = hidden;
    }

    /** Runs the teacher on a batch and keeps only its last hidden states. */
    static SoftTargets of(TrainingObjective.Distill objective, Batch batch) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.evaluation(objective.teacher().hooks(batch));
            HiddenStates hidden = objective.teacher().base().hiddenForHead(LossFunction.inputs(batch), pass);
            pass.keep(scope);
            return new SoftTargets(objective, pass, hidden.keep(scope));
        }
    }

    /**
     * Checks that the teacher has the same head.
     *
     * @throws InputException if the heads differ, or their classes
     */
    static void requireFit(Base base, TrainingObjective.@Nullable Distill objective) {
        if (objective == null) {
            return;
        }
        if (!TrainingObjective.Distill.TASKS.contains(base.task())) {
            throw new InputException("distillation needs tokens or rows with one label, which " + base.task()
                    + " has not; leave it out");
        }
        Base teacher = objective.teacher().base();
        if (teacher.task() != base.task()) {
            throw new InputException("the teacher " + teacher.name() + " has a head for " + teacher.task() + ", but "
                    + base.name() + " learns " + base.task());
        }
        if (CLASSES.contains(base.task()) && !teacher.labels().equals(base.labels())) {
            throw new InputException("the teacher " + teacher.name() + " has the classes "
                    + String.join(", ", teacher.labels()) + ", but " + base.name() + " learns "
                    + String.join(", ", base.labels()) + "; both must be the same in the same order");
        }
    }

    /** Returns the number of rows of a prompt before the teacher's own. */
    int prompt() {
        return Math.toIntExact(hidden.prompt());
    }

    /** The whole answer of the teacher's head. */
    Tensor logits() {
        try (NoGrad noGrad = new NoGrad()) {
            return objective.teacher().base().logits(hidden, pass);
        }
    }

    /**
     * The teacher's logits at places of its flattened hidden states, as its head gives them to a loss; where there is none, those of any
     * place.
     */
    private Tensor logits(long[] places, Tensor labels, ScalarType type) {
        Tensor last = hidden.last();
        long[] known = Arrays.stream(places).map(place -> Math.max(0, place)).toArray();
        Tensor rows = last.reshape(-1, last.size(2)).index_select(0, Tensors.of(known, known.length));
        return Ops.to(objective.teacher().base().head().project(rows, labels, pass), type);
    }

    /**
     * Runs the backward pass of {@code factor Σ w ((1 - λ) CE + λ T² KL)} from the logits of labelled rows. By them the gradient of the
     * second part is {@code λ T (softmax(s / T) - softmax(t / T))}. A row without a position in the teacher's outputs has the first part
     * alone.
     *
     * @param places the positions of the same rows in the teacher's outputs, [rows]; negative for none
     * @return the sum, and that of the divergences
     */
    Sums backward(Tensor logits, Tensor labels, Tensor weights, long[] places, double smoothing, double factor) {
        double share = objective.weight();
        double temperature = objective.temperature();
        CrossEntropy.Gradient hard = CrossEntropy.gradient(logits, labels, weights, smoothing, (1 - share) * factor);
        double divergence;
        try (NoGrad noGrad = new NoGrad()) {
            ScalarType type = weights.scalar_type();
            Tensor counted = weights.mul(Ops.to(Tensors.of(known(places), places.length), type));
            Tensor said = logits(places, labels, type);
            long shared = Math.min(said.size(1), logits.size(1));
            Tensor own = softened(Ops.to(logits, type).narrow(1, 0, shared), temperature);
            Tensor wanted = softened(said.narrow(1, 0, shared), temperature);
            divergence = Tensors.item(
                    divergences(own, wanted, temperature).mul(counted).sum());
            Tensor pull = own.exp_().sub_(wanted.exp_());
            hard.values()
                    .narrow(1, 0, shared)
                    .add_(pull.mul_(
                            Ops.scale(counted, share * temperature * factor).unsqueeze(1)));
        }
        return new Sums((1 - share) * hard.backward(logits) + share * divergence, divergence);
    }

    /**
     * Sums over rows.
     *
     * @param loss what is minimised
     * @param divergence {@code T² KL} alone
     */
    record Sums(double loss, double divergence) {}

    /** A loss with its divergence as a figure that is logged. */
    static Loss withDivergence(Loss loss, double divergence) {
        return new Loss(loss.sum(), loss.terms(), Map.of("distillation", new Loss(divergence, loss.terms())));
    }

    private static float[] known(long[] places) {
        float[] known = new float[places.length];
        for (int i = 0; i < known.length; i++) {
            known[i] = places[i] < 0 ? 0 : 1;
        }
        return known;
    }

    private static Tensor softened(Tensor logits, double temperature) {
        return Ops.scale(logits, 1 / temperature).log_softmax(-1);
    }

    /** {@code T² KL} of each row, {@code [rows]}, for logits {@code [rows, classes]}. */
    Tensor divergences(Tensor logits, Tensor teacher) {
        double temperature = objective.temperature();
        return divergences(softened(logits, temperature), softened(teacher, temperature), temperature);
    }

    private static Tensor divergences(Tensor own, Tensor wanted, double temperature) {
        Tensor each = wanted.exp().mul(wanted.sub(own));
        return Ops.scale(Ops.sum(each, -1, false), temperature * temperature);
    }
}
