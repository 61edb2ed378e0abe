package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Parametrised hypercomplex multiplication (Zhang et al., 2021; Mahabadi et al., 2021): {@code y = x H + b} with {@code H = Σᵢ Rᵢ ⊗ Wᵢ}, the rule
 * {@code R [n, n, n]} and {@code W [n, in / n, out / n]}; W = left · right of a rank, and so may R.
 *
 * @param dim n
 * @param rank of W's factors
 * @param factoredWeight whether W is a product
 * @param sharedWeight whether all places share W, one down and one up
 * @param factoredRule whether R is a product, of rank 1
 * @param sharedRule whether all places share R
 * @param trainRule whether R is trained
 * @param uniformRule whether R starts uniform rather than normal
 * @param ruleRange the initial deviation of a shared normal R
 */
@RecordBuilder
public record Phm(
        int dim,
        int rank,
        boolean factoredWeight,
        boolean sharedWeight,
        boolean factoredRule,
        boolean sharedRule,
        boolean trainRule,
        boolean uniformRule,
        double ruleRange,
        boolean bias)
        implements PhmBuilder.With {
    /** Four dimensions, rank 1, one rule for all places. */
    public static final Phm DEFAULT = PhmBuilder.builder()
            .dim(4)
            .rank(1)
            .factoredWeight(true)
            .sharedRule(true)
            .trainRule(true)
            .ruleRange(1e-4)
            .bias(true)
            .build();

    public Phm {
        if (dim < 1 || rank < 1) {
            throw new InputException("phm_dim is " + dim + " and phm_rank is " + rank + ", expected at least 1");
        }
    }

    /** Something declared once for all places. */
    private interface Declared {
        Tensor as(String name, Initializer initializer, boolean trained, long... shape);
    }

    /** Declares projections; what they share is declared with the first. */
    final class Layers {
        private final Grafter g;
        private final String root;
        private final Map<String, Tensor> shared = new HashMap<>();

        Layers(Grafter g) {
            this.g = g;
            this.root = AdapterHubFields.root(g.base()) + "shared_parameters.*.";
        }

        /** Returns the projection from in to out values, with its own tensors under the key. */
        BottleneckProjection projection(String key, boolean down, long in, long out) {
            if (in % dim != 0 || out % dim != 0) {
                throw new InputException("phm_dim is " + dim + ", but " + key + " maps " + in + " to " + out
                        + " numbers: both must be multiples of it, so take another reduction_factor");
            }
            Declared own =
                    (name, initializer, trained, shape) -> declare(key + "." + name, initializer, trained, shape);
            Declared once = (name, initializer, trained, shape) -> once(name, initializer, trained, shape);
            String w = sharedWeight ? (down ? "W_down" : "W_up") : "W";
            Declared weights = sharedWeight ? once : own;
            Factors weight = factoredWeight
                    ? new Factors(
                            weights.as(w + "_left", Phm::glorot, true, dim, in / dim, rank),
                            weights.as(w + "_right", Phm::glorot, true, dim, rank, out / dim))
                    : new Factors(weights.as(w, Phm::glorot, true, dim, in / dim, out / dim), null);
            Declared rules = sharedRule ? once : own;
            Initializer initializer = uniformRule
                    ? Initializer.uniform(sharedRule ? 1 : 0.01)
                    : Initializer.normal(sharedRule ? ruleRange : 0.01);
            Factors rule = factoredRule
                    ? new Factors(
                            rules.as("phm_rule_left", initializer, trainRule, dim, dim, 1),
                            rules.as("phm_rule_right", initializer, trainRule, dim, 1, dim))
                    : new Factors(rules.as("phm_rule", initializer, trainRule, dim, dim, dim), null);
            return new Hypercomplex(rule, weight, bias ? g.parameter(key + ".b", Initializer.ZEROS, out) : null);
        }

        private Tensor once(String name, Initializer initializer, boolean trained, long... shape) {
            Tensor known = shared.get(name);
            if (known == null) {
                known = declare(root + name, initializer, trained, shape);
                shared.put(name, known);
            } else if (!java.util.Arrays.equals(Tensors.shape(known), shape)) {
                throw new InputException(
                        "shared_W_phm is true, but reduction_factor gives places different sizes: they can't share W");
            }
            return known;
        }

        private Tensor declare(String key, Initializer initializer, boolean trained, long... shape) {
            return trained ? g.parameter(key, initializer, shape) : g.frozen(key, initializer, shape);
        }
    }

    /** Glorot-normal for each of the n matrices. */
    private static Tensor glorot(Rng rng, long... shape) {
        return rng.normal(0, Math.sqrt(2.0 / (shape[1] + shape[2])), shape);
    }

    /** Matrices, or two factors of them. */
    private record Factors(Tensor left, @Nullable Tensor right) {
        Tensor product() {
            return right == null ? left : left.bmm(right);
        }
    }

    private record Hypercomplex(
            Factors rule, Factors weight, @Nullable Tensor bias) implements BottleneckProjection {
        @Override
        public Tensor apply(Tensor x) {
            Tensor r = rule.product();
            Tensor w = weight.product();
            long n = r.size(0);
            // Σᵢ Rᵢ ⊗ Wᵢ as one product: rows are the entries of R, columns those of W.
            Tensor h = r.reshape(n, n * n)
                    .t()
                    .matmul(w.reshape(n, -1))
                    .view(n, n, w.size(1), w.size(2))
                    .permute(0, 2, 1, 3)
                    .reshape(n * w.size(1), n * w.size(2));
            return Ops.linear(x, h.t(), bias);
        }
    }

    static Phm read(Fields f) {
        f.choice("hypercomplex_nonlinearity", "glorot-uniform", "phm", "glorot-normal", "glorot-uniform", "normal");
        return new Phm(
                f.integer("phm_dim", 4, 1),
                f.integer("phm_rank", 1, 1),
                f.bool("factorized_phm_W", true),
                f.bool("shared_W_phm", false),
                f.bool("factorized_phm_rule", false),
                f.bool("shared_phm_rule", true),
                f.bool("learn_phm", true),
                f.choice("phm_c_init", "normal", "normal", "uniform").equals("uniform"),
                f.number("phm_init_range", 1e-4, 0, Double.MAX_VALUE),
                f.bool("phm_bias", true));
    }

    void write(ObjectNode c) {
        c.put("factorized_phm_W", factoredWeight);
        c.put("factorized_phm_rule", factoredRule);
        c.put("hypercomplex_nonlinearity", "glorot-uniform");
        c.put("learn_phm", trainRule);
        c.put("phm_bias", bias);
        c.put("phm_c_init", uniformRule ? "uniform" : "normal");
        c.put("phm_dim", dim);
        c.put("phm_init_range", ruleRange);
        c.put("phm_rank", rank);
        c.put("shared_W_phm", sharedWeight);
        c.put("shared_phm_rule", sharedRule);
    }
}
