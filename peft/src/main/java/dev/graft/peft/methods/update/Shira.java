package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.TorchRng;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * SHiRA, sparse high-rank adapters (Bhardwaj et al., 2024): {@code y = W x + b + ΔW x}, where ΔW is zero except for {@code r · (in + out)}
 * trained entries at random places: as many values as LoRA of that rank, but not of low rank. They start at zero, so a new adapter changes
 * nothing.
 *
 * <p>Trained: r · (in + out) for a layer. Files: {@code <module>.shira_weight [n]}, {@code shira_indices [2, n]} int32, the rows and columns in
 * order. Merges: W + ΔW, which changes a small share of W. Use it if adapters for different tasks are combined, since they hardly interfere.
 * Every call computes ΔW. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Shira.DEFAULT.withR(8), 42);
 * }</pre>
 *
 * @param mask the choice of the places: {@code random}, or another name in a file, which contains the places
 * @param seed the seed of the places, for torch's generator; null for the seed of the adapter
 * @param startAtZero whether the entries start at zero; else they are standard normal
 */
@RecordBuilder
public record Shira(int r, String mask, @Nullable Integer seed, TargetModules targets, boolean startAtZero)
        implements Method, ShiraBuilder.With {
    /** The number of values of LoRA of rank 16, for every linear layer but the head. */
    public static final Shira DEFAULT = new Shira(16, "random", null, TargetModules.ALL_LINEAR, true);

    public Shira {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        if (!mask.equals("random") && !g.isLoading()) {
            throw new InputException("mask_type is \"" + mask + "\", expected \"random\" for a new adapter");
        }
        for (Linear site : g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.VERA), "SHiRA")) {
            int n = Math.toIntExact(r * (site.in() + site.out()));
            SparseIndices.requireCount("r " + r, n, site);
            SparseIndices sparse = SparseIndices.of(g, site, "shira_indices", Storage.FILE, mask(site, n), n);
            Tensor values =
                    g.parameter(site, "shira_weight", startAtZero ? Initializer.ZEROS : Initializer.normal(1), n);
            g.add(site, new SparseUpdate(values, sparse));
        }
    }

    /** The first n of all places in random order, sorted. */
    private Initializer mask(Linear site, int n) {
        return (rng, shape) -> {
            TorchRng places = new TorchRng(seed == null ? rng.nextInt(Integer.MAX_VALUE) : seed);
            Tensor chosen = places.permutation(site.out() * site.in()).narrow(0, 0, n);
            return SparseIndices.rowsAndColumns(torch.sort(chosen).get0(), site.in());
        };
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.orDefaults(base, DefaultTargets.Table.VERA)
                .withExplicitNames(base)
                .write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        json.put("r", r);
        json.put("mask_type", mask);
        json.put("random_seed", seed);
        json.put("init_weights", startAtZero);
        json.put("fan_in_fan_out", false);
    }

    /** Registers {@code shira}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "shira";
        }

        @Override
        public String summary() {
            return "trains a few entries of a weight at random places";
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
            return "SHIRA";
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Shira(
                    config.integer("r", 32, 1),
                    config.string("mask_type", "random"),
                    config.integerOrNull("random_seed"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
