package dev.graft.eval.compare;

import java.util.Locale;

/**
 * A training run of a method.
 *
 * @param learningRate the learning rate; 0 where nothing is trained
 */
public record Trial(String method, double learningRate, long seed) {
    /** Returns a name that is unique among trials: {@code lora_1.0e-03_42}. */
    String name() {
        return method + "_" + String.format(Locale.ROOT, "%.1e", learningRate) + "_" + seed;
    }
}
