package dev.graft.models.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;

/** The beam search of one text, step by step, with the same numbers as Hugging Face's {@code generate}. */
final class BeamSearch {
    private static final Comparator<Beam> BEST_FIRST =
            Comparator.comparingDouble((Beam beam) -> beam.score).reversed();

    private final int[] prompt;
    private final GenerateOptions options;
    private final SuppressedTokens suppressed;
    private final Set<Integer> endTokens;
    private final int most;
    private List<Beam> running;
    private List<Beam> ended = new ArrayList<>();
    private boolean over;

    /**
     * A continuation.
     *
     * @param ids what follows the prompt
     * @param score the sum of log-probabilities; of one that has ended, with the length penalty
     * @param parent its place among the running ones of the step before
     */
    @SuppressWarnings("ArrayRecordComponent") // made here and never changed
    private record Beam(int[] ids, float score, int parent, FinishReason reason) {}

    /** @param limit the number of tokens that the model accepts after the prompt */
    BeamSearch(int[] prompt, GenerateOptions options, SuppressedTokens suppressed, Set<Integer> endTokens, int limit) {
        this.prompt = prompt;
        this.options = options;
        this.suppressed = suppressed;
        this.endTokens = endTokens;
        this.most = Math.min(options.maxNewTokens(), limit);
        this.running = List.of(new Beam(new int[0], 0, 0, FinishReason.LENGTH));
    }

    /**
     * Processes the logits of the next tokens.
     *
     * @param logits {@code [continuations][vocab]} of the running continuations; modified
     */
    void step(float[][] logits) {
        int beams = options.beams().count();
        List<Beam> candidates = candidates(logits, Math.max(2, 1 + endTokens.size()) * beams);
        List<Beam> next = new ArrayList<>();
        List<Beam> stopped = new ArrayList<>(ended);
        int length = candidates.get(0).ids.length;
        for (int i = 0; i < candidates.size(); i++) {
            Beam candidate = candidates.get(i);
            boolean ends = endTokens.contains(candidate.ids[length - 1]);
            if (!ends && length < most) {
                next.add(candidate);
            } else if (i < beams && !isFull()) {
                FinishReason reason = ends ? FinishReason.END_TOKEN : FinishReason.LENGTH;
                stopped.add(new Beam(candidate.ids, scored(candidate.score, length), candidate.parent, reason));
            }
        }
        stopped.sort(BEST_FIRST);
        ended = stopped.subList(0, Math.min(beams, stopped.size()));
        running = next.subList(0, Math.min(beams, next.size()));
        over = running.isEmpty() || isFull() || !canImprove(length);
    }

    private boolean isFull() {
        return options.beams().earlyStopping() == BeamOptions.EarlyStopping.YES
                && ended.size() == options.beams().count();
    }

    private boolean canImprove(int length) {
        if (ended.size() < options.beams().count()) {
            return true;
        }
        boolean atBest = options.beams().earlyStopping() == BeamOptions.EarlyStopping.NEVER
                && options.beams().lengthPenalty() > 0;
        float possible = scored(running.get(0).score, atBest ? most : length);
        return possible > ended.get(ended.size() - 1).score;
    }

    private float scored(float score, int length) {
        return (float) (score / Math.pow(length, options.beams().lengthPenalty()));
    }

    private List<Beam> candidates(float[][] logits, int count) {
        List<Beam> best = new ArrayList<>();
        for (int parent = 0; parent < running.size(); parent++) {
            Beam beam = running.get(parent);
            float[] scores = logits[parent];
            normalise(scores);
            int[] text = joined(prompt, beam.ids);
            penalise(scores, text);
            suppressed.apply(scores, text, beam.ids.length == 0);
            for (int id : likeliest(scores, count)) {
                if (scores[id] > Float.NEGATIVE_INFINITY) {
                    best.add(new Beam(joined(beam.ids, id), beam.score + scores[id], parent, FinishReason.LENGTH));
                }
            }
        }
        best.sort(BEST_FIRST);
        if (best.isEmpty()) {
            throw new IllegalStateException("every token is banned or the model's output is not a number");
        }
        return best.subList(0, Math.min(count, best.size()));
    }

    /** Log-probabilities in place of logits. */
    private static void normalise(float[] logits) {
        double max = logits[Sampler.likeliest(logits)];
        if (!Double.isFinite(max)) {
            throw new IllegalStateException("the largest logit is " + max + ": the model's output is not a number");
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        double log = max + Math.log(sum);
        for (int id = 0; id < logits.length; id++) {
            logits[id] = (float) (logits[id] - log);
        }
    }

    private void penalise(float[] scores, int[] text) {
        if (options.repetitionPenalty() != 1) {
            float penalty = (float) options.repetitionPenalty();
            Arrays.stream(text).distinct().forEach(id -> scores[id] *= scores[id] > 0 ? 1 / penalty : penalty);
        }
    }

    private static int[] likeliest(float[] scores, int count) {
        PriorityQueue<Integer> least = new PriorityQueue<>(Comparator.comparingDouble(id -> scores[id]));
        for (int id = 0; id < scores.length; id++) {
            if (least.size() < count) {
                least.add(id);
            } else if (scores[id] > scores[least.element()]) {
                least.remove();
                least.add(id);
            }
        }
        return least.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    private static int[] joined(int[] first, int... second) {
        int[] all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }

    boolean isRunning() {
        return !over;
    }

    /** The indices of the running continuations' parents in the previous step. */
    int[] parents() {
        return running.stream().mapToInt(Beam::parent).toArray();
    }

    /** The prompt with each running continuation. */
    List<int[]> texts() {
        return running.stream().map(beam -> joined(prompt, beam.ids)).toList();
    }

    int[] best() {
        return ended.get(0).ids;
    }

    FinishReason reason() {
        return ended.get(0).reason;
    }
}
