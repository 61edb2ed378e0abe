package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.peft.methods.lora.LowRank;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Super-Tuning (2026, arXiv 2607.09287): {@code y = W x + b + ΔW x}, where ΔW is zero except for trained entries at the largest, or smallest,
 * |W|. With a rank it is Supra, {@code ΔW + s · B A} with LoRA's A and B and s = alpha / r. Entries and B start at zero, so a new adapter changes
 * nothing.
 *
 * <p>Trained: ⌊(1 - sparsity) · in · out⌋ for a layer, and r · (in + out) with a rank. Files: {@code <module>.supertuning_values [n]},
 * {@code supertuning_indices [n]} int32, row by row, the most important first; {@code supertuning_lora_A.weight},
 * {@code supertuning_lora_B.weight}. Without {@code save_precomputed_indices} the places are recomputed from the base, and also written beside
 * PEFT's file. Merges. Use it if an adapter should change few weights, selected by the base's magnitudes. Every call computes ΔW. Not on
 * embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, SuperTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param sparsity the share of entries that aren't trained
 * @param largest whether the largest entries of W are trained, or the smallest
 * @param r the rank of the additional update; null for none
 * @param alpha s is alpha / r; null without a rank
 * @param dropout probability that an input of the low-rank update is dropped in training
 * @param startAtZero whether entries and B start at zero; else entries are standard normal and B Kaiming-uniform
 * @param savesIndices whether PEFT's file contains the places
 */
@RecordBuilder
public record SuperTuning(
        double sparsity,
        boolean largest,
        @Nullable Integer r,
        @Nullable Double alpha,
        double dropout,
        TargetModules targets,
        boolean startAtZero,
        boolean savesIndices)
        implements Method, SuperTuningBuilder.With {
    /** The largest percent of entries, no low-rank update, every linear layer but the head. */
    public static final SuperTuning DEFAULT = SuperTuningBuilder.builder()
            .sparsity(0.99)
            .largest(true)
            .targets(TargetModules.ALL_LINEAR)
            .startAtZero(true)
            .savesIndices(true)
            .build();

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
        DropoutProbability.require("lora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "Super-Tuning")) {
            long n = (long) (site.in() * site.out() * (1 - sparsity));
            SparseIndices.requireCount("sparsity " + sparsity, n, site);
            SparseIndices sparse = places(g, site, n);
            Tensor values =
                    g.parameter(site, "supertuning_values", startAtZero ? Initializer.ZEROS : Initializer.normal(1), n);
            g.add(site, new SparseUpdate(values, sparse));
            if (r != null && alpha != null) {
                Tensor a = g.parameter(site, "supertuning_lora_A.weight", Initializer.KAIMING, r, site.in());
                Initializer initializer = startAtZero ? Initializer.ZEROS : Initializer.KAIMING;
                Tensor b = g.parameter(site, "supertuning_lora_B.weight", initializer, site.out(), r);
                g.add(site, new LowRank(a, b, null, alpha / r, dropout, null, site));
            }
        }
    }

    private SparseIndices places(Grafter g, Linear site, long n) {
        Storage storage = savesIndices ? Storage.FILE : Storage.GRAFT_FILE;
        Tensor indices = g.indices(site, INDICES, storage, (rng, shape) -> choose(site, n), n);
        long all = site.in() * site.out();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (indices.lt(new Scalar(0L)).any().item_bool()
                    || indices.ge(new Scalar(all)).any().item_bool()) {
                throw new InputException(
                        site.name() + "." + INDICES + " has places outside the weight's " + all + " entries");
            }
            return new SparseIndices(scope.release(Ops.to(indices, ScalarType.Long)), site.out(), site.in());
        }
    }

    /** Chooses the places as PEFT does, in the type of the base's weight. */
    private Tensor choose(Linear site, long n) {
        Tensor magnitudes = site.weight().detach().abs().flatten();
        return magnitudes.topk(n, -1, largest, true).get1();
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.withExplicitNames(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        json.put("sparsity", sparsity);
        json.put("select_top", largest);
        json.put("r", r);
        if (alpha == null) {
            json.putNull("lora_alpha");
        } else {
            PatternValue.put(json, "lora_alpha", alpha);
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
            return Capabilities.ALL;
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
                    TargetModules.read(config),
                    config.bool("init_weights", true),
                    config.bool("save_precomputed_indices", true));
        }
    }
}
