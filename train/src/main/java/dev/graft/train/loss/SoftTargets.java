package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Goal;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What a teacher says of a batch: the soft targets of Hinton et al. (2015). It reads the batch as it is, in inference; only the rows that
 * are asked for reach its vocabulary head.
 */
final class SoftTargets {
    /** Where the two sides must name the same classes. */
    private static final Set<Task> CLASSES = EnumSet.of(Task.SEQ_CLS, Task.TOKEN_CLS, Task.IMAGE_CLS);

    private final Goal.Distill goal;
    private final Pass pass;
    private final Hidden hidden;

    private SoftTargets(Goal.Distill goal, Pass pass, Hidden hidden) {
        this.goal = goal;
        this.pass = pass;
        this.hidden = hidden;
    }

    /** Lets the teacher read a batch; of what its layers give only the last outlives this. */
    static SoftTargets of(Goal.Distill goal, Batch batch) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Pass pass = Pass.evaluation(goal.teacher().hooks(batch));
            Hidden hidden = goal.teacher().base().read(Objective.inputs(batch), pass);
            pass.keep(scope);
            return new SoftTargets(goal, pass, hidden.keep(scope));
        }
    }

    /**
     * Refuses a teacher that answers something else.
     *
     * @throws InputException if the heads differ, or their classes
     */
    static void requireFit(Base base, Goal.@Nullable Distill goal) {
        if (goal == null) {
            return;
        }
        if (!Goal.Distill.TASKS.contains(base.task())) {
            throw new InputException("distillation needs tokens or rows with one label, which " + base.task()
                    + " has not; leave it out");
        }
        Base teacher = goal.teacher().base();
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

    /** How many rows of a prompt stand before the teacher's own. */
    int prompt() {
        return Math.toIntExact(hidden.prompt());
    }

    /** The whole answer of the teacher's head. */
    Tensor logits() {
        try (NoGrad off = new NoGrad()) {
            return goal.teacher().base().logits(hidden, pass);
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
        return Ops.to(goal.teacher().base().head().project(rows, labels, pass), type);
    }

    /**
     * Runs the backward pass of {@code factor Σ w ((1 - λ) CE + λ T² KL)} from the logits of labelled rows. By them the gradient of the
     * second part is {@code λ T (softmax(s / T) - softmax(t / T))}. A row without a place in the teacher has the first part alone.
     *
     * @param places where the teacher's answers to the same rows are; negative where it has none
     * @return the sum, and that of the divergences
     */
    Sums backward(Tensor logits, Tensor labels, Tensor weights, long[] places, double smoothing, double factor) {
        double share = goal.weight();
        double temperature = goal.temperature();
        CrossEntropy.Gradient hard = CrossEntropy.gradient(logits, labels, weights, smoothing, (1 - share) * factor);
        double divergence;
        try (NoGrad off = new NoGrad()) {
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
    static Loss beside(Loss loss, double divergence) {
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
        double temperature = goal.temperature();
        return divergences(softened(logits, temperature), softened(teacher, temperature), temperature);
    }

    private static Tensor divergences(Tensor own, Tensor wanted, double temperature) {
        Tensor each = wanted.exp().mul(wanted.sub(own));
        return Ops.scale(Ops.sum(each, -1, false), temperature * temperature);
    }
}
