package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.WeightUpdate;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
import dev.graft.peft.composition.MaskSampler;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Weighted combination of adapters. The reference's result must load and have its outputs. Graft's result must match the definition: the
 * weighted sum, its nearest update of a rank, or the paper's rule on the updates. Where the reference combines A and B separately and thus
 * deviates, Graft's result is compared with the rule entry by entry.
 */
final class WeightedMergeParity {
    private final CaseCheck check;
    private final ReferenceBase reference;
    private final List<Adapter> adapters;
    private final List<Double> weights = new ArrayList<>();
    private final JsonNode manifest;
    private final ReferenceTensors stored;
    private final Tolerance tolerance;

    private WeightedMergeParity(
            CaseCheck check,
            ReferenceBase reference,
            List<Adapter> adapters,
            JsonNode manifest,
            ReferenceTensors stored,
            Tolerance tolerance) {
        this.check = check;
        this.reference = reference;
        this.adapters = adapters;
        this.manifest = manifest;
        this.stored = stored;
        this.tolerance = tolerance;
        manifest.path("weights").forEach(weight -> weights.add(weight.doubleValue()));
    }

    static void check(
            CaseCheck check,
            ReferenceBase reference,
            Path folder,
            List<Adapter> adapters,
            JsonNode manifest,
            ReferenceTensors stored,
            Tolerance tolerance) {
        WeightedMergeParity parity = new WeightedMergeParity(check, reference, adapters, manifest, stored, tolerance);
        Adapter theirs = AdapterFiles.load(reference.base(), folder.resolve("result"));
        parity.outputs(Selection.of(theirs), "logits_of_peft_result");
        if (adapters.get(0).method() instanceof Ia3) {
            parity.vectors(theirs);
        } else {
            parity.updates(theirs);
        }
    }

    /** The reference sums the vectors themselves, also where the weights don't sum to one; a sum of updates is 1 - Σ w more. */
    private void vectors(Adapter theirs) {
        Adapter ours = combined(Combination.LINEAR, null).adapter();
        double rest = 1 - weights.stream().mapToDouble(w -> w).sum();
        theirs.parameters()
                .forEach((key, parameter) ->
                        check.tensor(key, ours.value(key), Ops.plus(parameter.value(), rest), tolerance));
        List<Selection> parts =
                new ArrayList<>(adapters.stream().map(Selection::of).toList());
        List<Double> shares = new ArrayList<>(weights);
        parts.add(Selection.BASE);
        shares.add(rest);
        reference
                .outputs(
                        reference.base(), reference.inputs(), Selection.of(ours).hooks())
                .compare(
                        check,
                        reference.outputs(
                                reference.base(),
                                reference.inputs(),
                                Selection.average(parts, shares).hooks()),
                        "as one adapter",
                        tolerance);
    }

    private void updates(Adapter theirs) {
        deltas(Selection.of(theirs), "peft_delta.");
        outputs(sum(), "logits_of_exact_sum");
        deltas(sum(), "exact_delta.");
        Combination combination =
                Combination.named(manifest.path("combination_type").asString());
        CombinedAdapter ours = combined(combination, rank());
        check.that(ours.error() >= 0 && ours.error() < 1, "the error of the combined adapter is " + ours.error());
        switch (combination) {
            case LINEAR, CAT -> {
                outputs(Selection.of(ours.adapter()), "logits_of_exact_sum");
                deltas(Selection.of(ours.adapter()), "exact_delta.");
            }
            case SVD -> {
                double best = manifest.path("smallest_possible_relative_error_at_this_rank")
                        .doubleValue();
                double worst = ours.errors().values().stream()
                        .mapToDouble(error -> error)
                        .max()
                        .orElseThrow();
                check.number("the largest error of a module", worst, best, tolerance);
                if (manifest.path("is_best_low_rank").booleanValue()) {
                    deltas(Selection.of(ours.adapter()), "peft_delta.");
                }
            }
            default -> {
                if (combination.truncates()) {
                    deltas(Selection.of(ours.adapter()), "peft_delta.");
                }
                entries(combination);
            }
        }
        stored.ignore("bernoulli_mask.");
    }

    private Selection sum() {
        return Selection.all(IntStream.range(0, adapters.size())
                .mapToObj(i -> Selection.of(adapters.get(i), weights.get(i)))
                .toArray(Selection[]::new));
    }

    private @Nullable Integer rank() {
        JsonNode rank = manifest.path("options").path("svd_rank");
        return rank.isNumber() ? Integer.valueOf(rank.intValue()) : null;
    }

    private CombinedAdapter combined(Combination combination, @Nullable Integer rank) {
        return CombinedAdapter.of(adapters, weights, combination, settings(combination), rank);
    }

    private CombinationSettings settings(Combination combination) {
        JsonNode options = manifest.path("options");
        CombinationSettings settings = CombinationSettings.DEFAULT
                .withDensity(options.path("density").asDouble(1))
                .withElection(CombinationSettings.Election.valueOf(
                        options.path("majority_sign_method").asString("total").toUpperCase(Locale.ROOT)));
        // On whole updates the reference drew one mask for each adapter and module, in that order.
        Iterator<String> masks = stored.startingWith("bernoulli_mask.").iterator();
        return combination.truncates() && masks.hasNext()
                ? settings.withSampler((probabilities, module, adapter) ->
                        Ops.to(stored.get(masks.next()), probabilities.scalar_type()))
                : settings;
    }

    /** Holds what is combined but not cut against the rule, worked out for one entry after the other. */
    private void entries(Combination combination) {
        Combination whole = Combination.named(combination.title().replace("_svd", ""));
        CombinationSettings settings =
                settings(whole).withSampler(MaskSampler.of(manifest.path("case").hashCode()));
        Adapter ours =
                CombinedAdapter.of(adapters, weights, whole, settings, null).adapter();
        for (String name : stored.startingWith("exact_delta.")) {
            String module = name.substring("exact_delta.".length());
            Site site = Objects.requireNonNull(reference.base().site(Linear.class, module));
            List<double[]> updates = adapters.stream()
                    .map(adapter -> values(WeightUpdate.of(adapter, site)))
                    .toList();
            double[] got = values(WeightUpdate.of(ours, site));
            ScalarMergeRule rule = new ScalarMergeRule(updates, weights, settings.density(), settings.election());
            if (whole.title().startsWith("dare")) {
                rule.checkRandom(check, module, got, whole.isMean(), tolerance);
            } else {
                check.values(whole.title() + " of " + module, got, rule.pruned(whole.isMean()), tolerance);
            }
        }
    }

    private static double[] values(@Nullable WeightUpdate update) {
        return Tensors.doubles(Objects.requireNonNull(update).weight());
    }

    private void outputs(Selection selection, String name) {
        reference
                .outputs(reference.base(), reference.inputs(), selection.hooks())
                .compare(check, "logits", stored.get(name), name, tolerance);
    }

    private void deltas(Selection selection, String prefix) {
        Base base = reference.base();
        Base merged = Merge.merge(base, selection);
        for (String name : stored.startingWith(prefix)) {
            String module = name.substring(prefix.length());
            Site before = base.site(Linear.class, module);
            Site after = merged.site(Linear.class, module);
            if (before instanceof Linear old && after instanceof Linear changed) {
                check.tensor(name, changed.weight().sub(old.weight()), stored.get(name), tolerance);
            } else {
                check.that(false, "there is no linear layer " + module);
            }
        }
    }
}
