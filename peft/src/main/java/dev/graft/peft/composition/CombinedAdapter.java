package dev.graft.peft.composition;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Factors;
import dev.graft.peft.WeightUpdate;
import dev.graft.peft.convert.LoraConversion;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * One adapter that combines several.
 *
 * <pre>{@code
 * CombinedAdapter both = CombinedAdapter.of(
 *     List.of(a, b), List.of(0.5, 0.5), Combination.TIES_SVD, CombinationSettings.DEFAULT, null);
 * both.adapter().save(Path.of("out/both"));
 * }</pre>
 *
 * <p>A head that the adapters save whole becomes the mean of theirs, the weights divided by their sum.
 *
 * @param adapter a plain LoRA with scaling 1; an (IA)³ if a sum of (IA)³ is one; the adapters' own method for {@link Combination#AVERAGE}
 * @param errors the loss of truncating to a rank at each module, {@code ‖ΔW - B A‖ / ‖ΔW‖} with the combined ΔW
 * @param error the loss over all modules together
 * @param similarity the similarity of the adapters' updates, or null if none were computed
 */
public record CombinedAdapter(
        Adapter adapter,
        Map<String, Double> errors,
        double error,
        @Nullable UpdateSimilarity similarity) {

    /** The upper bound of a weight: updates with larger ones exceed single precision. */
    private static final int MOST_WEIGHT = 1_000_000;

    /**
     * Combines adapters of one base.
     *
     * @param weights one for each adapter
     * @param rank the maximum rank of an update; null for the largest of the adapters if the combination truncates, else for the rank that an
     *     update needs
     * @throws InputException if they can't be combined in this way
     */
    public static CombinedAdapter of(
            List<Adapter> adapters,
            List<Double> weights,
            Combination combination,
            CombinationSettings settings,
            @Nullable Integer rank) {
        check(adapters, weights);
        combination.check(settings);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (combination == Combination.AVERAGE) {
                return exact(ParameterCombination.average(adapters, weights));
            }
            if (combination.isSum() && rank == null && ParameterCombination.areIa3(adapters)) {
                return exact(ParameterCombination.sumOfIa3(adapters, weights));
            }
            Updates updates =
                    new Updates(adapters, weights, combination, settings, new UpdateSimilarity.Accumulator(weights));
            LoraConversion conversion = LoraConversion.of(
                    adapters.get(0).base(),
                    adapters.get(0).config(),
                    updates.sites(),
                    updates::combined,
                    ParameterCombination.heads(adapters, weights),
                    rank == null && combination.truncates() ? Integer.valueOf(updates.largestRank()) : rank);
            if (conversion == null) {
                throw new InputException("the combined adapters change no weight");
            }
            return new CombinedAdapter(
                    conversion.adapter(), conversion.errors(), conversion.error(), updates.accumulator.similarity());
        }
    }

    /** Returns a combination of parameters themselves, which loses nothing. */
    private static CombinedAdapter exact(Adapter adapter) {
        return new CombinedAdapter(adapter, Map.of(), 0, null);
    }

    private static void check(List<Adapter> adapters, List<Double> weights) {
        if (adapters.isEmpty()) {
            throw new InputException("there is no adapter to combine");
        }
        if (adapters.size() != weights.size()) {
            throw new InputException("there are " + adapters.size() + " adapters and " + weights.size()
                    + " weights, expected as many of both");
        }
        boolean fit = weights.stream().allMatch(weight -> Math.abs(weight) <= MOST_WEIGHT);
        if (!fit || weights.stream().allMatch(weight -> weight == 0)) {
            throw new InputException("the weights are " + weights + ", expected numbers of at most " + MOST_WEIGHT
                    + " in magnitude that aren't all 0");
        }
        Base base = adapters.get(0).base();
        if (!adapters.stream().allMatch(adapter -> adapter.base() == base)) {
            throw new InputException("adapters that are combined must be on one base object");
        }
        for (Adapter adapter : adapters) {
            if (adapter.tasks() > 1) {
                throw new InputException(
                        adapter.method().type().name() + ": the adapter has several tasks; it can't be combined");
            }
        }
    }

    /** The adapters' updates, one site after the other. */
    private record Updates(
            List<Adapter> adapters,
            List<Double> weights,
            Combination combination,
            CombinationSettings settings,
            UpdateSimilarity.Accumulator accumulator) {

        List<Site> sites() {
            Set<Site> touched = new HashSet<>();
            adapters.forEach(adapter -> touched.addAll(WeightUpdate.sites(adapter)));
            return adapters.get(0).base().sites().stream()
                    .filter(touched::contains)
                    .toList();
        }

        /** The largest rank of an adapter at any module. */
        int largestRank() {
            long largest = 0;
            for (Adapter adapter : adapters) {
                for (Site site : WeightUpdate.sites(adapter)) {
                    try (Scope scope = new Scope()) {
                        WeightUpdate update = WeightUpdate.of(adapter, site);
                        if (update == null || update.factors() == null) {
                            throw new InputException(combination.title() + ": "
                                    + adapter.method().type().name() + " has no rank; give the rank of the result");
                        }
                        largest = Math.max(largest, update.factors().a().size(0));
                    }
                }
            }
            return Math.toIntExact(largest);
        }

        @Nullable
        WeightUpdate combined(Site site) {
            List<@Nullable WeightUpdate> updates = new ArrayList<>();
            for (Adapter adapter : adapters) {
                updates.add(WeightUpdate.of(adapter, site));
            }
            WeightUpdate any =
                    updates.stream().filter(Objects::nonNull).findFirst().orElse(null);
            if (any == null) {
                return null;
            }
            List<Tensor> changes = filled(updates, WeightUpdate::weight);
            accumulator.add(changes);
            Tensor weight = combination.combine(changes, weights, settings, site.name());
            List<Tensor> biases = filled(updates, WeightUpdate::bias);
            Tensor bias = biases.isEmpty()
                    ? null
                    : combination
                            .combine(biases, weights, settings, site.name() + "/bias")
                            .squeeze(0);
            return new WeightUpdate(any.site(), weight, combination.isSum() ? factors(updates) : null, bias);
        }

        /** One part of each update as a matrix, zeros where there is none; nothing if none has it. */
        private static List<Tensor> filled(
                List<@Nullable WeightUpdate> updates, Function<WeightUpdate, @Nullable Tensor> part) {
            List<@Nullable Tensor> some = new ArrayList<>();
            for (WeightUpdate update : updates) {
                some.add(update == null ? null : part.apply(update));
            }
            Tensor like = some.stream().filter(Objects::nonNull).findFirst().orElse(null);
            List<Tensor> all = new ArrayList<>();
            if (like != null) {
                for (Tensor one : some) {
                    Tensor present = one == null ? torch.zeros_like(like) : one;
                    all.add(present.dim() == 1 ? present.unsqueeze(0) : present);
                }
            }
            return all;
        }

        /** The factors side by side, {@code [w₁B₁ w₂B₂ …] [A₁; A₂; …]}. */
        private @Nullable Factors factors(List<@Nullable WeightUpdate> updates) {
            List<Tensor> down = new ArrayList<>();
            List<Tensor> up = new ArrayList<>();
            for (int i = 0; i < updates.size(); i++) {
                WeightUpdate update = updates.get(i);
                if (update == null) {
                    continue;
                }
                if (update.factors() == null) {
                    return null;
                }
                down.add(update.factors().a());
                up.add(Ops.scale(update.factors().b(), weights.get(i)));
            }
            return new Factors(Ops.cat(0, down.toArray(Tensor[]::new)), Ops.cat(1, up.toArray(Tensor[]::new)));
        }
    }
}
