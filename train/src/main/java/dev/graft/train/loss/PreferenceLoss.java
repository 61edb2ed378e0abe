package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.TrainingObjective.PreferenceObjective;
import dev.graft.train.loss.AnswerTokens.Likelihood;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import org.bytedeco.pytorch.Tensor;

/**
 * Learning from preferences. The reference, where the objective has one, is the base without its adapter: the same weights, no second model.
 * Its likelihood of a row is computed for the row alone at the first use, and cached.
 *
 * <p>The gradient by the likelihoods is computed by formula, and from there as a cross-entropy with a weight for each token.
 */
final class PreferenceLoss implements LossFunction {
    private final Base base;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;
    private final PreferenceObjective objective;
    private final Map<Integer, Likelihood[]> references = new ConcurrentHashMap<>();

    PreferenceLoss(Base base, PreferenceObjective objective, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.passes = passes;
        this.base = base;
        this.objective = objective;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    /** KTO needs the log-ratio of other answers, averaged over the batch; ORPO how many tokens the chosen rows have, CPO their answers. */
    @Override
    public Batch prepare(Hooks hooks, Batch batch) {
        if (objective instanceof TrainingObjective.Kto) {
            return batch.withBatchStatistic(mismatch(hooks, batch));
        }
        if (objective instanceof TrainingObjective.Orpo) {
            return batch.withBatchStatistic(chosenTokens(batch, row -> 1));
        }
        if (objective instanceof TrainingObjective.Cpo) {
            return batch.withBatchStatistic(chosenTokens(batch, row -> answerStart(batch, row)));
        }
        return batch;
    }

    /** The number of tokens of a chosen row from a position on, averaged over the batch. */
    private static double chosenTokens(Batch batch, IntUnaryOperator start) {
        long tokens = 0;
        for (int row = 0; row < batch.rows(); row += batch.groupSize()) {
            tokens += batch.lengths()[row] - start.applyAsInt(row);
        }
        return tokens / (double) batch.units();
    }

    /** The log-ratio of each prompt with the answer of the row before it, averaged and at least 0; 0 for a row alone. */
    private double mismatch(Hooks hooks, Batch batch) {
        if (batch.rows() == 1) {
            return 0;
        }
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < batch.rows(); row++) {
            int next = (row + batch.rows() - 1) % batch.rows();
            int prompt = answerStart(batch, row);
            int from = answerStart(batch, next);
            int length = Math.min(
                    prompt + batch.lengths()[next] - from, base.backbone().maxPositions());
            int[] ids = new int[length];
            int[] labels = new int[length];
            for (int i = 0; i < length; i++) {
                int at = i < prompt ? row * batch.width() + i : next * batch.width() + from + i - prompt;
                ids[i] = (int) batch.ids()[at];
                labels[i] = i < prompt ? Target.NONE : (int) AnswerTokens.labels(batch)[at];
            }
            examples.add(new Example(row, ids, null, new Target.Tokens(labels)));
        }
        Batch others = Batch.of(examples, 0);
        boolean[] none = new boolean[others.rows()];
        Likelihood[] policy = AnswerTokens.measure(base, hooks, others, none);
        Likelihood[] reference = AnswerTokens.measure(base, Hooks.NONE, others, none);
        double sum = 0;
        for (int row = 0; row < policy.length; row++) {
            sum += policy[row].answer() - reference[row].answer();
        }
        return Math.max(0, sum / policy.length);
    }

    private static int answerStart(Batch batch, int row) {
        long[] labels = AnswerTokens.labels(batch);
        int start = 0;
        while (start < batch.lengths()[row] && labels[row * batch.width() + start] == Target.NONE) {
            start++;
        }
        return start;
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        List<Likelihood[]> references = references(batch);
        try (Scope scope = new Scope()) {
            ForwardPass pass = passes.apply(hooks, batch);
            HiddenStates hidden = base.forward(LossFunction.inputs(batch), pass);
            if (Arrays.stream(pass.promptTargets().labels()).anyMatch(label -> label != Target.NONE)) {
                throw new IllegalStateException("a prompt with labels of its own can't learn preferences");
            }
            AnswerTokens tokens = AnswerTokens.of(batch, (int) hidden.prompt(), whole(batch));
            Tensor states = tokens.states(hidden);
            Likelihood[] likelihoods =
                    tokens.likelihoods(base, states.detach(), ForwardPass.evaluation(hooks), batch.rows());
            PreferenceTerm[] terms = preferenceTerms(batch, likelihoods, references);
            tokens.backward(
                    base,
                    states,
                    pass,
                    row -> terms[row / batch.groupSize()].gradients()[row % batch.groupSize()],
                    1 / divisor);
            pass.backward();
            return loss(batch, terms);
        }
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        Likelihood[] likelihoods = AnswerTokens.measure(base, hooks, batch, whole(batch));
        PreferenceTerm[] terms = preferenceTerms(batch, likelihoods, references(batch));
        for (int unit = 0; unit < terms.length; unit++) {
            PreferenceTerm term = terms[unit];
            int row = batch.rowIndices()[unit * batch.groupSize()];
            predictions.accept(
                    batch.targets() instanceof BatchTargets.Judged judged
                            ? new Prediction.Judged(row, judged.good()[unit], term.loss(), term.rewards()[0])
                            : new Prediction.PreferencePair(row, term.loss(), term.rewards()[0], term.rewards()[1]));
        }
        return loss(batch, terms);
    }

    /** ORPO counts every token of chosen rows. */
    private boolean[] whole(Batch batch) {
        boolean[] whole = new boolean[batch.rows()];
        for (int row = 0; row < whole.length; row += batch.groupSize()) {
            whole[row] = objective instanceof TrainingObjective.Orpo;
        }
        return whole;
    }

    /** Returns the log-likelihoods of the base alone, for each unit of a batch; empty where the objective has no reference. */
    private List<Likelihood[]> references(Batch batch) {
        List<Likelihood[]> found = new ArrayList<>();
        for (int unit = 0; unit < batch.units(); unit++) {
            int number = unit;
            found.add(
                    objective.needsReference()
                            ? references.computeIfAbsent(
                                    batch.rowIndices()[unit * batch.groupSize()],
                                    row -> AnswerTokens.measure(
                                            base, Hooks.NONE, batch.unit(number), new boolean[batch.groupSize()]))
                            : new Likelihood[0]);
        }
        return found;
    }

    private PreferenceTerm[] preferenceTerms(Batch batch, Likelihood[] likelihoods, List<Likelihood[]> references) {
        PreferenceTerm[] terms = new PreferenceTerm[batch.units()];
        for (int unit = 0; unit < terms.length; unit++) {
            Likelihood[] own =
                    Arrays.copyOfRange(likelihoods, unit * batch.groupSize(), (unit + 1) * batch.groupSize());
            boolean good = !(batch.targets() instanceof BatchTargets.Judged judged) || judged.good()[unit];
            terms[unit] = PreferenceTerm.of(objective, good, own, references.get(unit), batch.batchStatistic());
        }
        return terms;
    }

    private static Loss loss(Batch batch, PreferenceTerm[] terms) {
        Loss loss = Loss.NONE;
        for (int unit = 0; unit < terms.length; unit++) {
            PreferenceTerm term = terms[unit];
            double[] rewards = term.rewards();
            Map<String, Loss> beside = batch.targets() instanceof BatchTargets.Judged judged
                    ? Map.of(
                            "reward_chosen",
                            judged.good()[unit] ? new Loss(rewards[0], 1) : Loss.NONE,
                            "reward_rejected",
                            judged.good()[unit] ? Loss.NONE : new Loss(rewards[0], 1))
                    : pair(rewards[0], rewards[1]);
            loss = loss.plus(new Loss(term.loss(), 1, beside));
        }
        return loss;
    }

    /** The figures of a pair that are logged. */
    static Map<String, Loss> pair(double chosen, double rejected) {
        return Map.of(
                "reward_chosen",
                new Loss(chosen, 1),
                "reward_rejected",
                new Loss(rejected, 1),
                "reward_margin",
                new Loss(chosen - rejected, 1),
                "reward_accuracy",
                new Loss(chosen > rejected ? 1 : 0, 1));
    }
}
