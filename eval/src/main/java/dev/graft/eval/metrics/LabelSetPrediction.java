package dev.graft.eval.metrics;

import java.util.BitSet;

/** A row of multi-label classification: the true labels and the predicted ones. */
public record LabelSetPrediction(BitSet labels, BitSet predictions) {

    public LabelSetPrediction {
        labels = (BitSet) labels.clone();
        predictions = (BitSet) predictions.clone();
    }

    /** A copy. */
    @Override
    public BitSet labels() {
        return (BitSet) labels.clone();
    }

    /** A copy. */
    @Override
    public BitSet predictions() {
        return (BitSet) predictions.clone();
    }

    /** Creates a row from one flag for each label: {@code of(new boolean[] {true, false}, new boolean[] {true, true})}. */
    public static LabelSetPrediction of(boolean[] labels, boolean[] predictions) {
        if (labels.length != predictions.length) {
            throw new IllegalArgumentException(
                    "a row has " + labels.length + " labels but " + predictions.length + " predictions");
        }
        return new LabelSetPrediction(bits(labels), bits(predictions));
    }

    void requireAtMost(int count) {
        int needed = Math.max(labels.length(), predictions.length());
        if (needed > count) {
            throw new IllegalArgumentException(
                    "label " + (needed - 1) + " does not exist, expected 0 to " + (count - 1));
        }
    }

    private static BitSet bits(boolean[] flags) {
        BitSet bits = new BitSet(flags.length);
        for (int i = 0; i < flags.length; i++) {
            bits.set(i, flags[i]);
        }
        return bits;
    }
}
