package dev.graft.eval.compare;

import java.util.Locale;

/**
 * One training of one method.
 *
 * @param rate the learning rate; 0 where nothing is trained
 */
public record Trial(String method, double rate, long seed) {
    /** Its name among others: {@code lora_1.0e-03_42}. */
    String name() {
        return method + "_" + String.format(Locale.ROOT, "%.1e", rate) + "_" + seed;
    }
}
