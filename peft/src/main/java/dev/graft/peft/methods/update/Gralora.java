package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Bias;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.peft.methods.lora.LowRank;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * GraLoRA, granular low-rank adaptation (Jung et al., 2025): ΔW consists of k · k blocks with separate low-rank updates, times s = alpha / (r +
 * hybrid_r). {@code A [k, in / k, r]} has r columns for each block of inputs, {@code B [k, r, out / k]} r rows for each block of outputs, both in
 * k groups of r / k; the block of outputs i and inputs j uses group i of A_j and group j of B_i. With {@code hybrid_r} a plain {@code s · B′ A′}
 * of that rank is added. A starts Kaiming-uniform and B at zero, so a new adapter changes nothing.
 *
 * <p>Trained: (r + hybrid_r) · (in + out) for a layer, as LoRA of that rank; the rank of ΔW is up to k · r. Files: {@code <module>.gralora_A},
 * {@code gralora_B}; {@code gralora_A_general.weight}, {@code gralora_B_general.weight}. Merges. Use it in place of LoRA at high ranks, where a
 * few outlying inputs would dominate LoRA's gradient. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Gralora.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank of a row or column of blocks
 * @param hybridR rank of the plain part, 0 for none
 * @param k the number of blocks of a side
 * @param alpha scaling numerator
 * @param dropout probability that an input of the update is dropped in training
 * @param startAtZero whether B starts at zero; else it is Kaiming-uniform too
 */
@RecordBuilder
public record Gralora(
        int r, int hybridR, int k, double alpha, double dropout, Bias bias, TargetModules targets, boolean startAtZero)
        implements Method, GraloraBuilder.With {
    /** Rank 32, alpha 64, blocks of half a side, every linear layer but the head. */
    public static final Gralora DEFAULT = new Gralora(32, 0, 2, 64, 0, Bias.NONE, TargetModules.ALL_LINEAR, true);

    public Gralora {
        if (r < 1 || k < 1 || hybridR < 0) {
            throw new InputException(
                    "r is " + r + ", gralora_k " + k + " and hybrid_r " + hybridR + ", expected at least 1, 1 and 0");
        }
        if (r % k != 0) {
            throw new InputException("r is " + r + ", expected a multiple of gralora_k, which is " + k);
        }
        DropoutProbability.require("gralora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        double s = alpha / (r + hybridR);
        Initializer zeros = startAtZero ? Initializer.ZEROS : Initializer.KAIMING;
        List<Linear> sites = g.linears(targets, "GraLoRA");
        for (Linear site : sites) {
            if (site.in() % k != 0 || site.out() % k != 0) {
                throw new InputException("gralora_k is " + k + ", expected a divisor of both sizes of " + site.name()
                        + " [" + site.out() + ", " + site.in() + "]");
            }
            Tensor a = g.parameter(
                    site, "gralora_A", Initializer.uniform(Math.sqrt(k / (double) site.in())), k, site.in() / k, r);
            Tensor b = g.parameter(
                    site,
                    "gralora_B",
                    startAtZero ? Initializer.ZEROS : Initializer.uniform(1 / Math.sqrt(r)),
                    k,
                    r,
                    site.out() / k);
            Tensor generalA = null;
            Tensor generalB = null;
            if (hybridR > 0) {
                generalA = g.parameter(site, "gralora_A_general.weight", Initializer.KAIMING, hybridR, site.in());
                generalB = g.parameter(site, "gralora_B_general.weight", zeros, site.out(), hybridR);
            }
            g.add(site, new Blocks(a, b, s, dropout));
            if (generalA != null && generalB != null) {
                g.add(site, new LowRank(generalA, generalB, null, s, dropout, null, site));
            }
        }
        bias.graft(g, sites);
    }

    private record Blocks(Tensor a, Tensor b, double scaling, double dropout) implements LinearUpdate {
        /**
         * Computes block i of the outputs from group i of all blocks of inputs; each block of inputs has k groups of r
         * / k numbers.
         */
        @Override
        public Tensor transform(Tensor x) {
            ScalarType type = x.scalar_type();
            long k = a.size(0);
            long r = a.size(2);
            Tensor rows = x.reshape(-1, k, a.size(1)).transpose(0, 1);
            long count = rows.size(1);
            Tensor groups = rows.bmm(Ops.to(a, type)).view(k, count, k, r / k).permute(2, 1, 0, 3);
            Tensor y = groups.reshape(k, count, r).bmm(Ops.to(b, type)).transpose(0, 1);
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = k * b.size(2);
            return Ops.scale(y.reshape(shape), scaling);
        }

        @Override
        public long in() {
            return a.size(0) * a.size(1);
        }

        @Override
        public ScalarType type() {
            return a.scalar_type();
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("hybrid_r", hybridR);
        json.put("gralora_k", k);
        PatternValue.put(json, "alpha", alpha);
        json.put("gralora_dropout", dropout);
        json.put("fan_in_fan_out", false);
        json.put("init_weights", startAtZero);
        bias.write(json, "gralora_only");
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code gralora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "gralora";
        }

        @Override
        public String summary() {
            return "adds a low-rank update to each block of a weight";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "GRALORA";
        }

        @Override
        public List<String> required() {
            return List.of("r", "alpha", "gralora_k");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Gralora(
                    config.integer("r", 32, 1),
                    config.integer("hybrid_r", 0, 0),
                    config.integer("gralora_k", 2, 1),
                    config.number("alpha", 64),
                    config.number("gralora_dropout", 0),
                    Bias.read(config, "gralora_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
