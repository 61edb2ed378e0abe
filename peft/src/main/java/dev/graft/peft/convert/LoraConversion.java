package dev.graft.peft.convert;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Merge;
import dev.graft.peft.TargetModules;
import dev.graft.peft.WeightUpdate;
import dev.graft.peft.inits.Svd;
import dev.graft.peft.methods.lora.DyLora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A plain LoRA that approximates an adapter: at every layer the best update of its rank, from the singular value decomposition of the merged
 * change. Modules that the adapter saves whole stay unchanged.
 *
 * <pre>{@code
 * LoraConversion lora = LoraConversion.of(adapter, 16);
 * lora.adapter().save(Path.of("out/lora"));
 * }</pre>
 *
 * @param adapter the plain LoRA
 * @param errors {@code ‖ΔW - s · B A‖ / ‖ΔW‖} by module
 * @param error this error over all modules together
 */
public record LoraConversion(Adapter adapter, Map<String, Double> errors, double error) {
    /** Singular values that are smaller than this part of the first one are rounding errors. */
    private static final double RELATIVE_TOLERANCE = 1e-6;

    /**
     * The change of a layer: {@code ΔW = U V} except for the part beyond the rank.
     *
     * @param missed {@code ‖ΔW - U V‖}
     * @param norm {@code ‖ΔW‖}
     */
    private record Change(
            Site site, Tensor u, Tensor v, @Nullable Tensor bias, double missed, double norm) {
        int rank() {
            return Math.toIntExact(u.size(1));
        }

        Change keptBy(Scope scope) {
            scope.keep(u);
            scope.keep(v);
            if (bias != null) {
                scope.keep(bias);
            }
            return this;
        }
    }

    /**
     * Converts an adapter.
     *
     * @param rank the maximum rank of an update; null for the rank that each one needs, without loss
     * @throws InputException if the adapter has other effects than changes of weights and biases of linear layers, ungrouped convolutions and
     *     embeddings
     */
    public static LoraConversion of(Adapter adapter, @Nullable Integer rank) {
        Map<String, Tensor> whole = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> {
            if (adapter.config().savesWhole(key)) {
                whole.put(key, parameter.value());
            }
        });
        LoraConversion conversion = of(
                adapter.base(),
                adapter.config(),
                WeightUpdate.sites(adapter),
                site -> WeightUpdate.of(adapter, site),
                whole,
                rank);
        if (conversion == null) {
            throw new InputException(adapter.method().type().name() + ": the adapter changes no weight");
        }
        return conversion;
    }

    /**
     * Returns a LoRA of updates that are computed one after the other, so only one is in memory at a time.
     *
     * @param like names the modules that are saved whole, the task and the base
     * @param sites the sites of the updates
     * @param update computes the update of a site, null for none
     * @param whole the values of the modules that are saved whole, by key
     * @param rank the maximum rank of an update, or null
     * @return null if no weight changes
     */
    public static @Nullable LoraConversion of(
            Base base,
            AdapterConfig like,
            List<Site> sites,
            Function<Site, @Nullable WeightUpdate> update,
            Map<String, Tensor> whole,
            @Nullable Integer rank) {
        if (rank != null && rank < 1) {
            throw new InputException("the rank is " + rank + ", expected at least 1");
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            List<Change> changes = new ArrayList<>();
            for (Site site : sites) {
                try (Scope inner = new Scope()) {
                    WeightUpdate found = update.apply(site);
                    Change change = found == null ? null : change(found, rank);
                    if (change != null) {
                        changes.add(change.keptBy(inner));
                    }
                }
            }
            return changes.isEmpty() ? null : of(base, like, changes, whole);
        }
    }

    /**
     * Truncates a LoRA to its first ranks, as {@link DyLora} training allows.
     *
     * @throws InputException if it is no LoRA, or has fewer ranks
     */
    public static LoraConversion truncated(Adapter adapter, int rank) {
        Adapter small = DyLora.truncated(adapter, rank);
        Base whole = Merge.merge(adapter);
        Base cut = Merge.merge(small);
        Map<String, Double> errors = new LinkedHashMap<>();
        double missed = 0;
        double all = 0;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Site site : adapter.sites()) {
                if (!adapter.config().savesWhole(site.name())) {
                    double norm =
                            Tensors.item(update((Affine) site, in(whole, site)).norm());
                    double gap =
                            Tensors.item(update(in(cut, site), in(whole, site)).norm());
                    errors.put(site.name(), norm == 0 ? 0 : gap / norm);
                    missed += gap * gap;
                    all += norm * norm;
                }
            }
        }
        return new LoraConversion(small, errors, all == 0 ? 0 : Math.sqrt(missed / all));
    }

    /** Returns the corresponding layer of another base. */
    private static Affine in(Base other, Site site) {
        return (Affine) Objects.requireNonNull(other.site(site.getClass(), site.name()));
    }

    /** ΔW with a row for each output. */
    private static Tensor update(Affine from, Affine to) {
        return Ops.to(to.weight(), ScalarType.Double)
                .sub(Ops.to(from.weight(), ScalarType.Double))
                .flatten(1, -1);
    }

    private static @Nullable Change change(WeightUpdate update, @Nullable Integer rank) {
        double norm = Tensors.item(update.weight().norm());
        Tensor bias = update.bias() == null || Tensors.item(update.bias().norm()) == 0
                ? null
                : Ops.to(update.bias(), ScalarType.Float);
        if (norm == 0 && bias == null) {
            return null;
        }
        Svd svd = update.factors() == null ? Svd.of(update.weight()) : Svd.of(update.factors());
        double[] values = Tensors.doubles(svd.s());
        int kept = Math.min(rank == null ? values.length : rank, needed(values));
        Tensor root = svd.s().narrow(0, 0, kept).sqrt();
        Tensor u = Ops.to(svd.u().narrow(1, 0, kept).mul(root), ScalarType.Float);
        Tensor v = Ops.to(svd.v().narrow(0, 0, kept).mul(root.unsqueeze(1)), ScalarType.Float);
        Tensor product = Ops.to(u, ScalarType.Double).matmul(Ops.to(v, ScalarType.Double));
        return new Change(
                update.site(),
                u,
                v,
                bias,
                Tensors.item(update.weight().sub(product).norm()),
                norm);
    }

    private static int needed(double[] values) {
        int kept = 1;
        while (kept < values.length && values[kept] > RELATIVE_TOLERANCE * values[0]) {
            kept++;
        }
        return kept;
    }

    private static LoraConversion of(Base base, AdapterConfig like, List<Change> changes, Map<String, Tensor> whole) {
        AdapterConfig config = new AdapterConfig(
                new Lora(config(changes)), like.modulesToSave(), like.task(), like.baseName(), like.revision());
        Adapter lora = Adapter.create(base, config, 0);
        whole.forEach((key, value) -> lora.value(key).copy_(value));
        Map<String, Double> errors = new LinkedHashMap<>();
        double missed = 0;
        double all = 0;
        for (Change change : changes) {
            write(lora, change);
            errors.put(change.site().name(), change.norm() == 0 ? 0 : change.missed() / change.norm());
            missed += change.missed() * change.missed();
            all += change.norm() * change.norm();
        }
        return new LoraConversion(lora, errors, all == 0 ? 0 : Math.sqrt(missed / all));
    }

    /** Scaling 1 at every layer, whatever its rank. */
    private static LoraConfig config(List<Change> changes) {
        int r = changes.stream().mapToInt(Change::rank).max().orElseThrow();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        Map<String, Double> alphas = new LinkedHashMap<>();
        for (Change change : changes) {
            if (change.rank() != r) {
                ranks.put(change.site().name(), change.rank());
                alphas.put(change.site().name(), (double) change.rank());
            }
        }
        boolean biases = changes.stream().anyMatch(change -> change.bias() != null);
        return LoraConfig.DEFAULT
                .withR(r)
                .withAlpha(r)
                .withRankPattern(ranks)
                .withAlphaPattern(alphas)
                .withTargets(TargetModules.names(
                        changes.stream().map(change -> change.site().name()).toArray(String[]::new)))
                .withLoraBias(biases);
    }

    private static void write(Adapter lora, Change change) {
        String module = change.site().name() + ".";
        if (change.site() instanceof Embedding) {
            // ΔW [rows, hidden] = Aᵀ Bᵀ
            lora.value(module + "lora_embedding_A").copy_(change.u().t());
            lora.value(module + "lora_embedding_B").copy_(change.v().t());
            return;
        }
        Tensor down = lora.value(module + "lora_A.weight");
        Tensor up = lora.value(module + "lora_B.weight");
        down.copy_(change.v().view(Tensors.shape(down)));
        up.copy_(change.u().view(Tensors.shape(up)));
        if (change.bias() != null) {
            lora.value(module + "lora_B.bias").copy_(change.bias());
        }
    }
}
