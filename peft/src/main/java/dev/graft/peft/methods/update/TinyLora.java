package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.Svd;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.TorchRng;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * TinyLoRA (2026), after LoRA-XS: {@code y = W x + b + B (Σ_k v_k P_k) A x} with frozen {@code A [r, in]}, {@code B [out, r]} from the first r
 * singular triplets of W, each scaled by the root of the singular values, frozen random {@code P [u, r, r]}, and a trained {@code v [u]} that
 * neighbouring layers may share. v starts at zero, so a new adapter changes nothing.
 *
 * <p>Trained: u for a group of layers, down to a few numbers for a whole model. Files: {@code tinylora_v.<group>}, {@code <module>.tinylora_A},
 * {@code tinylora_B} and, unless {@code save_projection} is false, {@code tinylora_P}; else P is redrawn from {@code projection_seed} with
 * PyTorch's generator. Merges. Use it to adjust behaviour, as in reinforcement learning, where a few values suffice.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, TinyLora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank; less for smaller layers
 * @param u the number of values that a group trains
 * @param tying the degree of sharing: 0 for one v per layer, 1 for a single v
 * @param seed the seed of P, to which the layer's index is added
 * @param savesProjection whether files contain P
 * @param dropout probability that an input of the update is dropped in training
 * @param bound the bound of the uniform start of v
 */
@RecordBuilder
public record TinyLora(
        int r,
        int u,
        double tying,
        int seed,
        boolean savesProjection,
        double dropout,
        Init init,
        double bound,
        Bias bias,
        TargetModules targets)
        implements Method, TinyLoraBuilder.With {
    /**
     * Rank 16 (PEFT's is 2, where {@code Σ_k v_k P_k} has four numbers, however many v has), 64 numbers for each layer, every linear layer but
     * the head.
     */
    public static final TinyLora DEFAULT =
            new TinyLora(16, 64, 0, 42, true, 0, Init.ZEROS, 0.02, Bias.NONE, TargetModules.ALL_LINEAR);

    /** The initialisation of v. */
    public enum Init {
        ZEROS,
        UNIFORM,
        /** PEFT leaves v uninitialised; here it is uniform. */
        ANY
    }

    public TinyLora {
        if (r < 1 || u < 1) {
            throw new InputException((r < 1 ? "r is " + r : "u is " + u) + ", expected at least 1");
        }
        if (!(tying >= 0 && tying <= 1)) {
            throw new InputException("weight_tying is " + tying + ", expected a number from 0 to 1");
        }
        DropoutProbability.require("tinylora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Site> sites = g.targets(targets);
        int groups = Math.max(1, (int) Math.rint(sites.size() * (1 - tying)));
        int size = Math.max(1, sites.size() / groups);
        List<Tensor> shared = new ArrayList<>();
        for (int i = 0; i < sites.size(); i++) {
            Site site = sites.get(i);
            if (Math.min(i / size, groups - 1) == shared.size()) {
                Initializer initializer = init == Init.ZEROS ? Initializer.ZEROS : Initializer.uniform(bound);
                shared.add(g.parameter("tinylora_v." + shared.size(), initializer, u));
            }
            if (!(site instanceof Affine layer) || site instanceof Convolution) {
                throw new InputException("target_modules: " + site.name()
                        + " is neither a linear layer nor an embedding; TinyLoRA acts on those only");
            }
            Tensor weight = layer.weight();
            long rank = Math.min(r, Math.min(weight.size(0), weight.size(1)));
            Tensor a = g.buffer(
                    site.name() + ".tinylora_A", true, (rng, shape) -> half(weight, rank, false), rank, weight.size(1));
            Tensor b = g.buffer(
                    site.name() + ".tinylora_B", true, (rng, shape) -> half(weight, rank, true), weight.size(0), rank);
            long drawnFrom = (long) seed + i;
            Tensor p = g.buffer(
                    site.name() + ".tinylora_P",
                    savesProjection,
                    (rng, shape) -> new TorchRng(drawnFrom).normal(0, 1 / Math.sqrt(rank), shape),
                    u,
                    rank,
                    rank);
            g.add(site, new Tiny(a, b, p, shared.get(shared.size() - 1), site instanceof Embedding, dropout));
        }
        bias.graft(g, sites);
    }

    /** Returns the left or right singular vectors times the roots of the singular values. */
    private static Tensor half(Tensor weight, long rank, boolean left) {
        try (NoGrad noGrad = new NoGrad()) {
            Svd svd = Svd.of(Ops.to(weight, ScalarType.Float));
            Tensor roots = svd.s().narrow(0, 0, rank).sqrt();
            return left
                    ? svd.u().narrow(1, 0, rank).mul(roots)
                    : svd.v().narrow(0, 0, rank).mul(roots.unsqueeze(1));
        }
    }

    private record Tiny(Tensor a, Tensor b, Tensor p, Tensor v, boolean table, double dropout) implements Effect.Delta {
        /** {@code Σ_k v_k P_k}, {@code [r, r]}. */
        private Tensor square() {
            return v.unsqueeze(0).matmul(p.flatten(1, 2)).view(p.size(1), p.size(2));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            if (table) {
                Tensor rows = Dropout.apply(Ops.embedding(b, x), dropout, pass.isTraining());
                return rows.matmul(square()).matmul(a);
            }
            ScalarType type = x.scalar_type();
            Tensor narrow = Ops.linear(Dropout.apply(x, dropout, pass.isTraining()), Ops.to(a, type), null);
            return Ops.linear(Ops.linear(narrow, Ops.to(square(), type), null), Ops.to(b, type), null);
        }

        @Override
        public Tensor weight() {
            return b.matmul(square()).matmul(a);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("u", u);
        json.put("weight_tying", tying);
        json.put("projection_seed", seed);
        json.put("save_projection", savesProjection);
        json.put("tinylora_dropout", dropout);
        json.put("init_v_bound", bound);
        switch (init) {
            case ZEROS -> json.put("init_weights", true);
            case UNIFORM -> json.put("init_weights", "uniform");
            case ANY -> json.put("init_weights", false);
        }
        json.put("fan_in_fan_out", false);
        bias.write(json, "tinylora_only");
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code tinylora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "tinylora";
        }

        @Override
        public String summary() {
            return "trains a handful of numbers inside the main directions of frozen weights";
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
            return "TINYLORA";
        }

        @Override
        public List<String> required() {
            return List.of("r", "u");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new TinyLora(
                    config.integer("r", 2, 1),
                    config.integer("u", 64, 1),
                    config.number("weight_tying", 0),
                    config.integer("projection_seed", 42),
                    config.bool("save_projection", true),
                    config.number("tinylora_dropout", 0),
                    init(config),
                    config.number("init_v_bound", 0.02),
                    Bias.read(config, "tinylora_only"),
                    TargetModules.read(config));
        }

        private static Init init(Fields config) {
            JsonNode value = config.node("init_weights");
            if (value != null && value.isString()) {
                config.choice("init_weights", "uniform", "uniform");
                return Init.UNIFORM;
            }
            return config.bool("init_weights", true) ? Init.ZEROS : Init.ANY;
        }
    }
}
