package dev.graft.peft.convert;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Merge;
import dev.graft.peft.Parameter;
import dev.graft.peft.Targets;
import dev.graft.peft.methods.DyLora;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A plain LoRA in place of an adapter: at every layer the best update of its rank, from the singular value decomposition of what merging
 * changes. Modules that the adapter saves whole stay as they are.
 *
 * <pre>{@code
 * ToLora lora = ToLora.of(adapter, 16);
 * lora.adapter().save(Path.of("out/lora"));
 * }</pre>
 *
 * @param adapter the plain LoRA
 * @param errors {@code ‖ΔW - s · B A‖ / ‖ΔW‖} by module
 * @param error the same over all modules together
 */
public record ToLora(Adapter adapter, Map<String, Double> errors, double error) {
    /** Singular values that are smaller than this part of the first one are rounding errors. */
    private static final double NOTHING = 1e-6;

    /**
     * What changes at a layer: {@code ΔW = U V} but for what the rank leaves out.
     *
     * @param missed {@code ‖ΔW - U V‖}
     * @param norm {@code ‖ΔW‖}
     */
    private record Change(
            Site site, Tensor u, Tensor v, @Nullable Tensor bias, double missed, double norm) {
        int rank() {
            return Math.toIntExact(u.size(1));
        }
    }

    /**
     * Converts an adapter.
     *
     * @param rank the most that an update may have; null for as much as each one needs, so that nothing is lost
     * @throws InputException if the adapter does more than change the weights and biases of linear layers, ungrouped convolutions and embeddings
     */
    public static ToLora of(Adapter adapter, @Nullable Integer rank) {
        if (rank != null && rank < 1) {
            throw new InputException("the rank is " + rank + ", expected at least 1");
        }
        if (adapter.base().numerics().equals(Numerics.BF16)) {
            throw new InputException("the base is in bf16, which is too coarse to tell an update: load it in fp32");
        }
        Base merged = Merge.merge(adapter);
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Map<String, Change> changes = changes(adapter, merged, rank);
            if (changes.isEmpty()) {
                throw new InputException(adapter.method().type().name() + ": the adapter changes no weight");
            }
            return of(adapter, changes);
        }
    }

    /**
     * Cuts a LoRA to its first ranks, for which {@link DyLora} trained it.
     *
     * @throws InputException if it is no LoRA, or has fewer ranks
     */
    public static ToLora truncated(Adapter adapter, int rank) {
        Adapter small = DyLora.truncated(adapter, rank);
        Base whole = Merge.merge(adapter);
        Base cut = Merge.merge(small);
        Map<String, Double> errors = new LinkedHashMap<>();
        double missed = 0;
        double all = 0;
        try (NoGrad off = new NoGrad();
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
        return new ToLora(small, errors, all == 0 ? 0 : Math.sqrt(missed / all));
    }

    private static Map<String, Change> changes(Adapter adapter, Base merged, @Nullable Integer rank) {
        Map<String, Change> changes = new LinkedHashMap<>();
        TreeSet<String> others = new TreeSet<>();
        for (Site site : adapter.sites()) {
            if (adapter.config().savesWhole(site.name())) {
                continue;
            }
            if (!isLayer(site)) {
                others.add(site.name());
                continue;
            }
            Change change = change(site, in(merged, site), rank);
            if (change != null) {
                changes.put(site.name(), change);
            }
        }
        if (!others.isEmpty()) {
            throw new InputException(adapter.method().type().name() + " can't become LoRA: it also changes "
                    + others.first() + ", which is no linear layer, ungrouped convolution or embedding");
        }
        return changes;
    }

    private static boolean isLayer(Site site) {
        boolean grouped =
                site instanceof Convolution convolution && convolution.window().groups() > 1;
        return site instanceof Embedding || site instanceof Projection && !grouped;
    }

    /** The same layer in another base. */
    private static Affine in(Base other, Site site) {
        return (Affine) Objects.requireNonNull(other.site(site.getClass(), site.name()));
    }

    /** ΔW with a row for each output. */
    private static Tensor update(Affine from, Affine to) {
        return Ops.to(to.weight(), ScalarType.Double)
                .sub(Ops.to(from.weight(), ScalarType.Double))
                .flatten(1, -1);
    }

    private static @Nullable Change change(Site site, Affine to, @Nullable Integer rank) {
        Affine from = (Affine) site;
        Tensor change = update(from, to);
        Tensor bias = change(from.bias(), to.bias());
        double norm = Tensors.item(change.norm());
        if (norm == 0 && bias == null) {
            return null;
        }
        T_TensorTensorTensor_T svd = torch.linalg_svd(change, false, new StringViewOptional());
        double[] values = Tensors.doubles(svd.get1());
        int kept = Math.min(rank == null ? values.length : rank, needed(values));
        Tensor root = svd.get1().narrow(0, 0, kept).sqrt();
        Tensor u = Ops.to(svd.get0().narrow(1, 0, kept).mul(root), ScalarType.Float);
        Tensor v = Ops.to(svd.get2().narrow(0, 0, kept).mul(root.unsqueeze(1)), ScalarType.Float);
        Tensor product = Ops.to(u, ScalarType.Double).matmul(Ops.to(v, ScalarType.Double));
        return new Change(site, u, v, bias, Tensors.item(change.sub(product).norm()), norm);
    }

    private static @Nullable Tensor change(@Nullable Tensor from, @Nullable Tensor to) {
        if (from == null || to == null) {
            return null;
        }
        Tensor change = to.sub(from);
        return Tensors.item(change.norm()) == 0 ? null : change;
    }

    private static int needed(double[] values) {
        int kept = 1;
        while (kept < values.length && values[kept] > NOTHING * values[0]) {
            kept++;
        }
        return kept;
    }

    private static ToLora of(Adapter adapter, Map<String, Change> changes) {
        AdapterConfig old = adapter.config();
        AdapterConfig config = new AdapterConfig(
                new Lora(config(changes)), old.modulesToSave(), old.task(), old.baseName(), old.revision());
        Adapter lora = Adapter.create(adapter.base(), config, 0);
        for (Parameter parameter : lora.parameters().values()) {
            Parameter same = adapter.parameters().get(parameter.key());
            if (same != null && old.savesWhole(parameter.key())) {
                parameter.value().copy_(same.value());
            }
        }
        Map<String, Double> errors = new LinkedHashMap<>();
        double missed = 0;
        double all = 0;
        for (Change change : changes.values()) {
            write(lora, change);
            errors.put(change.site().name(), change.norm() == 0 ? 0 : change.missed() / change.norm());
            missed += change.missed() * change.missed();
            all += change.norm() * change.norm();
        }
        return new ToLora(lora, errors, all == 0 ? 0 : Math.sqrt(missed / all));
    }

    /** Scaling 1 at every layer, whatever its rank. */
    private static LoraConfig config(Map<String, Change> changes) {
        int r = changes.values().stream().mapToInt(Change::rank).max().orElseThrow();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        Map<String, Double> alphas = new LinkedHashMap<>();
        changes.forEach((module, change) -> {
            if (change.rank() != r) {
                ranks.put(module, change.rank());
                alphas.put(module, (double) change.rank());
            }
        });
        boolean biases = changes.values().stream().anyMatch(change -> change.bias() != null);
        return LoraConfig.DEFAULT
                .withRank(r, r)
                .withPatterns(ranks, alphas)
                .withTargets(Targets.names(changes.keySet().toArray(String[]::new)))
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
