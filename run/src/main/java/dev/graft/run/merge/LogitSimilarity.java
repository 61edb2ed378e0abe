package dev.graft.run.merge;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.run.model.LoadedModel;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * The difference between a merged model's logits and the adapted one's on random token sequences.
 *
 * @param maxDifference the largest difference of a logit
 * @param largest the largest absolute logit of the adapted model
 * @param agreement the share of positions (rows, for a sequence head) with the same largest logit
 * @param positions the number of compared positions or rows
 */
public record LogitSimilarity(double maxDifference, double largest, double agreement, int positions) {
    private static final int SEQUENCES = 4;
    private static final int LENGTH = 32;

    public static LogitSimilarity of(LoadedModel loaded, Base merged) {
        Base base = loaded.base();
        int length = Math.min(LENGTH, base.backbone().maxPositions());
        Rng random = Rng.of(0, "merge");
        long[][] ids = new long[SEQUENCES][length];
        for (long[] row : ids) {
            for (int i = 0; i < length; i++) {
                row[i] = random.nextInt(base.backbone().vocabSize());
            }
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Inputs inputs = base.backbone().dummyInputs(ids);
            Tensor adapted =
                    base.logits(inputs, ForwardPass.inference(loaded.selection().hooks()));
            Tensor own = merged.logits(inputs, ForwardPass.inference(Hooks.NONE));
            return compare(Tensors.floats(adapted), Tensors.floats(own), (int) adapted.size(-1));
        }
    }

    private static LogitSimilarity compare(float[] adapted, float[] merged, int width) {
        double difference = 0;
        double largest = 0;
        int same = 0;
        int positions = adapted.length / width;
        for (int at = 0; at < positions; at++) {
            int best = at * width;
            int bestMerged = best;
            for (int i = at * width; i < (at + 1) * width; i++) {
                difference = Math.max(difference, Math.abs(adapted[i] - merged[i]));
                largest = Math.max(largest, Math.abs(adapted[i]));
                best = adapted[i] > adapted[best] ? i : best;
                bestMerged = merged[i] > merged[bestMerged] ? i : bestMerged;
            }
            same += best == bestMerged ? 1 : 0;
        }
        return new LogitSimilarity(difference, largest, (double) same / positions, positions);
    }
}
