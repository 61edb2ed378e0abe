package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.ByModule;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Place;
import dev.graft.peft.Targets;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Super-Tuning (2026, arXiv 2607.09287): {@code y = W x + b + ΔW x}, where ΔW is zero but for trained entries where |W| is largest, or smallest.
 * With a rank it is Supra, {@code ΔW + s · B A} with LoRA's A and B and s = alpha / r. Entries and B start at zero, so a new adapter changes
 * nothing.
 *
 * <p>Trained: ⌊(1 - sparsity) · in · out⌋ for a layer, and r · (in + out) with a rank. Files: {@code <module>.supertuning_values [n]},
 * {@code supertuning_indices [n]} int32, row by row, the most important first; {@code supertuning_lora_A.weight}, {@code supertuning_lora_B.weight}.
 * Without {@code save_precomputed_indices} the places are found again in the base, and written beside PEFT's file. Merges. Use it where an adapter
 * should change few weights of the base and the base's own magnitudes may choose them. Every call makes ΔW. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, SuperTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param sparsity share of entries that aren't trained
 * @param largest whether the largest entries of W are trained, or the smallest
 * @param r rank of the update beside; null for none
 * @param alpha s is alpha / r; null without a rank
 * @param dropout probability that an input of the low-rank update is dropped in training
 * @param startAtZero whether entries and B start at zero; else entries are standard normal and B Kaiming-uniform
 * @param savesIndices whether PEFT's file has the places
 */
public record SuperTuning(
        double sparsity,
        boolean largest,
        @Nullable Integer r,
        @Nullable Double alpha,
        double dropout,
        Targets targets,
        boolean startAtZero,
        boolean savesIndices)
        implements Method {
    /** The largest percent of entries, no low-rank update, every linear layer but the head. */
    public static final SuperTuning DEFAULT =
            new SuperTuning(0.99, true, null, null, 0, Targets.ALL_LINEAR, true, true);

    private static final String INDICES = "supertuning_indices";

    public SuperTuning {
        if (!(sparsity >= 0 && sparsity < 1)) {
            throw new InputException("sparsity is " + sparsity + ", expected 0 or more and less than 1");
        }
        if (r != null && r < 1) {
            throw new InputException("r is " + r + ", expected at least 1, or null for no low-rank update");
        }
        if (r == null && alpha != null) {
            throw new InputException("lora_alpha is " + alpha + ", expected null where r is null");
        }
        alpha = r != null && alpha == null ? Double.valueOf(2.0 * r) : alpha;
        Probability.require("lora_dropout", dropout);
    }

    public SuperTuning withSparsity(double newSparsity) {
        return new SuperTuning(newSparsity, largest, r, alpha, dropout, targets, startAtZero, savesIndices);
    }

    public SuperTuning withTargets(Targets newTargets) {
        return new SuperTuning(sparsity, largest, r, alpha, dropout, newTargets, startAtZero, savesIndices);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "Super-Tuning")) {
            long n = (long) (site.in() * site.out() * (1 - sparsity));
            Places.require("sparsity " + sparsity, n, site);
            Places places = places(g, site, n);
            Tensor values = g.parameter(site, "supertuning_values", startAtZero ? Initial.ZEROS : Initial.normal(1), n);
            g.add(site, new Sparse(values, places));
            if (r != null && alpha != null) {
                Tensor a = g.parameter(site, "supertuning_lora_A.weight", Initial.KAIMING, r, site.in());
                Initial start = startAtZero ? Initial.ZEROS : Initial.KAIMING;
                Tensor b = g.parameter(site, "supertuning_lora_B.weight", start, site.out(), r);
                g.add(site, new LowRank(a, b, null, alpha / r, dropout, null, site));
            }
        }
    }

    private Places places(Grafter g, Linear site, long n) {
        Place place = savesIndices ? Place.FILE : Place.BESIDE;
        Tensor indices = g.indices(site, INDICES, place, (rng, shape) -> choose(site, n), n);
        long all = site.in() * site.out();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            if (indices.lt(new Scalar(0L)).any().item_bool()
                    || indices.ge(new Scalar(all)).any().item_bool()) {
                throw new InputException(
                        site.name() + "." + INDICES + " has places outside the weight's " + all + " entries");
            }
            return new Places(scope.release(Ops.to(indices, ScalarType.Long)), site.out(), site.in());
        }
    }

    /** As PEFT does, in the type that the base's weight is in. */
    private Tensor choose(Linear site, long n) {
        Tensor magnitudes = site.weight().detach().abs().flatten();
        return magnitudes.topk(n, -1, largest, true).get1();
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.spelledOut(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        json.put("sparsity", sparsity);
        json.put("select_top", largest);
        json.put("r", r);
        if (alpha == null) {
            json.putNull("lora_alpha");
        } else {
            ByModule.put(json, "lora_alpha", alpha);
        }
        json.put("lora_dropout", dropout);
        json.put("init_weights", startAtZero);
        json.put("save_precomputed_indices", savesIndices);
    }

    /** Registers {@code supertuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "supertuning";
        }

        @Override
        public String summary() {
            return "trains the entries of a weight that are largest";
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "SUPERTUNING";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public List<String> required() {
            return List.of("sparsity");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new SuperTuning(
                    config.number("sparsity", 0.99),
                    config.bool("select_top", true),
                    config.integerOrNull("r"),
                    config.numberOrNull("lora_alpha"),
                    config.number("lora_dropout", 0),
                    Targets.read(config),
                    config.bool("init_weights", true),
                    config.bool("save_precomputed_indices", true));
        }
    }
}
