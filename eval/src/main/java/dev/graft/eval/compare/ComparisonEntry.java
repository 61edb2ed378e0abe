package dev.graft.eval.compare;

import dev.graft.models.Base;
import dev.graft.peft.Method;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** A method to compare: one that is trained, or the frozen base. */
public sealed interface ComparisonEntry {
    /** Returns the name of the entry's row. */
    String name();

    /**
     * Returns the learning rates to try, in order; a single one if nothing is trained.
     *
     * @param factors the factors of the usual rate
     */
    List<Double> learningRates(List<Double> factors);

    /** Returns whether another seed changes the result. */
    boolean usesSeed();

    /**
     * A method that is trained.
     *
     * @param methodFactory creates the method for a base
     * @param learningRate its usual learning rate, the centre of the search
     * @param headRate the learning rate of the head at that rate; it is scaled with other rates
     */
    record Trained(String name, Function<Base, Method> methodFactory, double learningRate, double headRate)
            implements ComparisonEntry {
        /** Creates an entry with one learning rate for all parameters. */
        public Trained(String name, Function<Base, Method> on, double rate) {
            this(name, on, rate, rate);
        }

        @Override
        public List<Double> learningRates(List<Double> factors) {
            // Two digits: 1e-3 times 0.3 is written as 3e-4.
            return factors.stream()
                    .map(factor -> Double.valueOf(String.format(Locale.ROOT, "%.1e", learningRate * factor)))
                    .toList();
        }

        @Override
        public boolean usesSeed() {
            return true;
        }
    }

    /** The base without training; the head of a classifier is a linear probe. */
    record Frozen(String name) implements ComparisonEntry {
        @Override
        public List<Double> learningRates(List<Double> factors) {
            return List.of(0.0);
        }

        @Override
        public boolean usesSeed() {
            return false;
        }
    }
}
