package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Goal;
import dev.graft.train.data.Target;
import dev.graft.train.data.Targets;
import dev.graft.train.loss.AnswerTokens.Likelihood;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;

/**
 * Learning from preferences: {@link Goal.Dpo}, {@link Goal.Orpo}, {@link Goal.Kto}. The reference of DPO and KTO is the base without its
 * adapter: the same weights, no second model. What it says of a row is worked out for the row alone, when it first comes, and kept.
 *
 * <p>The gradient is that of the likelihoods by formula; from there on it is the cross-entropy's with a weight for each token.
 */
final class PreferenceLoss implements Objective {
    private final Base base;
    private final BiFunction<Hooks, Batch, Pass> passes;
    private final Goal goal;
    private final Map<Integer, Likelihood[]> references = new ConcurrentHashMap<>();

    PreferenceLoss(Base base, Goal goal, BiFunction<Hooks, Batch, Pass> passes) {
        this.passes = passes;
        this.base = base;
        this.goal = goal;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    /** KTO needs the log-ratio of other answers, averaged over the batch; ORPO how many tokens the chosen rows of the batch have. */
    @Override
    public Batch prepared(Hooks hooks, Batch batch) {
        if (goal instanceof Goal.Kto) {
            return batch.withWhole(mismatch(hooks, batch));
        }
        if (goal instanceof Goal.Orpo) {
            long tokens = 0;
            for (int row = 0; row < batch.rows(); row += batch.group()) {
                tokens += batch.lengths()[row] - 1;
            }
            return batch.withWhole(tokens / (double) batch.units());
        }
        return batch;
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
        Likelihood[] policy = AnswerTokens.measured(base, hooks, others, none);
        Likelihood[] reference = AnswerTokens.measured(base, Hooks.NONE, others, none);
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
            Pass pass = passes.apply(hooks, batch);
            Hidden hidden = base.hidden(Objective.inputs(batch), pass);
            if (Arrays.stream(pass.context().promptTargets().labels()).anyMatch(label -> label != Target.NONE)) {
                throw new IllegalStateException("a prompt with labels of its own can't learn preferences");
            }
            AnswerTokens tokens = AnswerTokens.of(batch, (int) hidden.prompt(), whole(batch));
            Tensor states = tokens.states(hidden);
            Likelihood[] likelihoods = tokens.likelihoods(base, states.detach(), Pass.evaluation(hooks), batch.rows());
            Verdict[] verdicts = verdicts(batch, likelihoods, references);
            tokens.backward(
                    base,
                    states,
                    pass,
                    row -> verdicts[row / batch.group()].slopes()[row % batch.group()],
                    1 / divisor);
            pass.backward();
            return loss(batch, verdicts);
        }
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        Likelihood[] likelihoods = AnswerTokens.measured(base, hooks, batch, whole(batch));
        Verdict[] verdicts = verdicts(batch, likelihoods, references(batch));
        for (int unit = 0; unit < verdicts.length; unit++) {
            Verdict verdict = verdicts[unit];
            int row = batch.rowIndices()[unit * batch.group()];
            predictions.accept(
                    batch.targets() instanceof Targets.Judged judged
                            ? new Prediction.Judged(row, judged.good()[unit], verdict.loss(), verdict.rewards()[0])
                            : new Prediction.Pair(row, verdict.loss(), verdict.rewards()[0], verdict.rewards()[1]));
        }
        return loss(batch, verdicts);
    }

    /** ORPO counts every token of chosen rows. */
    private boolean[] whole(Batch batch) {
        boolean[] whole = new boolean[batch.rows()];
        for (int row = 0; row < whole.length; row += batch.group()) {
            whole[row] = goal instanceof Goal.Orpo;
        }
        return whole;
    }

    /** What the base alone says, for each unit of a batch. */
    private List<Likelihood[]> references(Batch batch) {
        List<Likelihood[]> found = new ArrayList<>();
        for (int unit = 0; unit < batch.units(); unit++) {
            int number = unit;
            found.add(
                    goal instanceof Goal.Orpo
                            ? new Likelihood[0]
                            : references.computeIfAbsent(
                                    batch.rowIndices()[unit * batch.group()],
                                    row -> AnswerTokens.measured(
                                            base, Hooks.NONE, batch.unit(number), new boolean[batch.group()])));
        }
        return found;
    }

    private Verdict[] verdicts(Batch batch, Likelihood[] likelihoods, List<Likelihood[]> references) {
        Verdict[] verdicts = new Verdict[batch.units()];
        for (int unit = 0; unit < verdicts.length; unit++) {
            Likelihood[] own = Arrays.copyOfRange(likelihoods, unit * batch.group(), (unit + 1) * batch.group());
            Likelihood[] reference = references.get(unit);
            if (goal instanceof Goal.Dpo dpo) {
                verdicts[unit] = Verdict.dpo(dpo, own, reference);
            } else if (goal instanceof Goal.Orpo orpo) {
                verdicts[unit] = Verdict.orpo(orpo, own, batch.whole());
            } else {
                boolean good = ((Targets.Judged) batch.targets()).good()[unit];
                verdicts[unit] = Verdict.kto((Goal.Kto) goal, good, own[0], reference[0], batch.whole());
            }
        }
        return verdicts;
    }

    private static Loss loss(Batch batch, Verdict[] verdicts) {
        Loss loss = Loss.NONE;
        for (int unit = 0; unit < verdicts.length; unit++) {
            Verdict verdict = verdicts[unit];
            double[] rewards = verdict.rewards();
            Map<String, Loss> beside = batch.targets() instanceof Targets.Judged judged
                    ? Map.of(
                            "reward_chosen",
                            judged.good()[unit] ? new Loss(rewards[0], 1) : Loss.NONE,
                            "reward_rejected",
                            judged.good()[unit] ? Loss.NONE : new Loss(rewards[0], 1))
                    : pair(rewards[0], rewards[1]);
            loss = loss.plus(new Loss(verdict.loss(), 1, beside));
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
