package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * Uni-LoRA (Li et al., 2025): LoRA, {@code y = W x + b + B A x}, whose concatenated matrices of all layers are the projection {@code P θ} of one
 * trained vector θ [d]. Each row of P has one nonzero entry at a random place, {@code 1 / √n} if n rows share the column, so P preserves norms.
 * So A and B are looked up, {@code θ[index] ⊙ scale}. θ starts uniform on ±{@code init_theta_d_bound}: a new adapter changes the output a little.
 *
 * <p>Trained: d, for any number of layers. Files: {@code unilora_theta_d}, and with {@code save_indices} also
 * {@code <module>.unilora_indices_A [r, in]}, {@code unilora_indices_B [out, r]} int64, {@code unilora_scales_A}, {@code unilora_scales_B}; else
 * the places are redrawn from {@code proj_seed} with NumPy's generator, in the order of the base's modules. Merges. Use it if stored adapters
 * must be a few hundred values. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, UniLora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank of A and B; a larger one spreads θ over more places
 * @param length d
 * @param seed the seed of the places
 * @param savesIndices whether files contain the places, or only the seed
 * @param dropout probability that an input of the update is dropped in training
 * @param bound the bound of θ's uniform start
 * @param startsSmall whether θ starts uniform within the bound; else it is standard normal
 */
@RecordBuilder
public record UniLora(
        int r,
        int length,
        int seed,
        boolean savesIndices,
        double dropout,
        double bound,
        Bias bias,
        TargetModules targets,
        boolean startsSmall)
        implements Method, UniLoraBuilder.With {
    /**
     * Rank 4, a vector of 4096 (PEFT's 256 learn little if they serve every linear layer), every linear layer but the head.
     */
    public static final UniLora DEFAULT =
            new UniLora(4, 4096, 42, false, 0, 0.02, Bias.NONE, TargetModules.ALL_LINEAR, true);

    public UniLora {
        if (r < 1 || length < 1) {
            throw new InputException("r is " + r + " and theta_d_length " + length + ", expected each at least 1");
        }
        if (seed < 0) {
            throw new InputException("proj_seed is " + seed + ", expected 0 or more");
        }
        if (!(bound > 0)) {
            throw new InputException("init_theta_d_bound is " + bound + ", expected more than 0");
        }
        DropoutProbability.require("unilora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Tensor theta = g.parameter(
                "unilora_theta_d", startsSmall ? Initializer.uniform(bound) : Initializer.normal(1), length);
        List<Linear> sites = g.linears(targets, "Uni-LoRA");
        List<Long> sizes = new ArrayList<>();
        for (Linear site : sites) {
            sizes.add(r * site.in());
            sizes.add(site.out() * r);
        }
        SharedVectorIndex places = new SharedVectorIndex(length, seed, sizes);
        for (int i = 0; i < sites.size(); i++) {
            Linear site = sites.get(i);
            IndexedMatrix a = lookUp(g, site, "A", theta, places, 2 * i, r, site.in());
            IndexedMatrix b = lookUp(g, site, "B", theta, places, 2 * i + 1, site.out(), r);
            g.add(site, new Shared(a, b, dropout));
        }
        bias.graft(g, sites);
    }

    private IndexedMatrix lookUp(
            Grafter g, Site site, String which, Tensor theta, SharedVectorIndex places, int number, long... shape) {
        Storage storage = savesIndices ? Storage.FILE : Storage.CHECKPOINT_ONLY;
        String name = "unilora_indices_" + which;
        Tensor narrow = g.indices(
                site, name, storage, (rng, size) -> places.indices(number).view(size), shape);
        if (savesIndices) {
            g.export(site.name() + "." + name, () -> Ops.to(narrow, ScalarType.Long));
        }
        Tensor scales = g.buffer(
                site.name() + ".unilora_scales_" + which,
                savesIndices,
                (rng, size) -> places.scales(number).view(size),
                shape);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (narrow.lt(new Scalar(0L)).any().item_bool()
                    || narrow.ge(new Scalar((long) length)).any().item_bool()) {
                throw new InputException(
                        site.name() + "." + name + " has places outside of unilora_theta_d [" + length + "]");
            }
        }
        return new IndexedMatrix(theta, narrow, scales);
    }

    /** A matrix {@code θ[index] ⊙ scale}; index int32. */
    private record IndexedMatrix(Tensor theta, Tensor index, Tensor scales) {
        Tensor matrix() {
            return theta.index_select(0, index.view(-1)).view(scales.sizes()).mul(scales);
        }
    }

    private record Shared(IndexedMatrix a, IndexedMatrix b, double dropout) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            return Ops.linear(Ops.linear(input, Ops.to(a.matrix(), type), null), Ops.to(b.matrix(), type), null);
        }

        @Override
        public Tensor weight() {
            return b.matrix().matmul(a.matrix());
        }

        @Override
        public Factors factors() {
            return new Factors(a.matrix(), b.matrix());
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("theta_d_length", length);
        json.put("proj_seed", seed);
        json.put("save_indices", savesIndices);
        json.put("unilora_dropout", dropout);
        json.put("init_theta_d_bound", bound);
        json.put("init_weights", startsSmall);
        json.put("fan_in_fan_out", false);
        bias.write(json, "unilora_only");
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code unilora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "unilora";
        }

        @Override
        public String summary() {
            return "LoRA whose matrices are all looked up in one trained vector";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "UNILORA";
        }

        @Override
        public double rateFactor() {
            return 100;
        }

        @Override
        public List<String> required() {
            return List.of("r", "theta_d_length", "proj_seed");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new UniLora(
                    config.integer("r", 4, 1),
                    config.integer("theta_d_length", 256, 1),
                    config.integer("proj_seed", 42, 0),
                    config.bool("save_indices", false),
                    config.number("unilora_dropout", 0),
                    config.number("init_theta_d_bound", 0.02),
                    Bias.read(config, "unilora_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
