package dev.graft.eval.compare;

import dev.graft.models.Base;
import dev.graft.peft.Method;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** A row of a comparison. */
public sealed interface Contender {
    /** What its row is called. */
    String name();

    /** The learning rates that it may try, in order; one for what has none. */
    List<Double> rates(List<Double> factors);

    /** Whether another seed gives another result. */
    boolean seeded();

    /**
     * A method that is trained.
     *
     * @param on the method for a base
     * @param rate its usual learning rate, around which it looks for the best one
     * @param headRate what the head learns at beside it, in the same proportion to any other rate
     */
    record Trained(String name, Function<Base, Method> on, double rate, double headRate) implements Contender {
        /** One rate for all. */
        public Trained(String name, Function<Base, Method> on, double rate) {
            this(name, on, rate, rate);
        }

        @Override
        public List<Double> rates(List<Double> factors) {
            // Two digits: 1e-3 times 0.3 is written as 3e-4.
            return factors.stream()
                    .map(factor -> Double.valueOf(String.format(Locale.ROOT, "%.1e", rate * factor)))
                    .toList();
        }

        @Override
        public boolean seeded() {
            return true;
        }
    }

    /** The base as it is; the head of a classifier is a linear probe of it. */
    record Frozen(String name) implements Contender {
        @Override
        public List<Double> rates(List<Double> factors) {
            return List.of(0.0);
        }

        @Override
        public boolean seeded() {
            return false;
        }
    }
}
