package dev.graft.eval.claims;

import dev.graft.eval.compare.ComparisonEntry;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** LoRA on all linear layers of a base, on those of one role at a time, and on those of one layer at a time. */
public final class LayerSweep {
    private LayerSweep() {}

    /**
     * Returns the entries of the comparison.
     *
     * @param rate LoRA's usual learning rate
     * @param headRate the learning rate of the head
     */
    public static List<ComparisonEntry> of(Base base, double rate, double headRate) {
        Map<String, List<String>> places = new LinkedHashMap<>();
        Map<Integer, List<String>> layers = new TreeMap<>();
        base.sites().stream()
                .filter(site -> site instanceof Linear linear && linear.layer() >= 0)
                .map(Linear.class::cast)
                .forEach(linear -> {
                    String role = linear.role().name().toLowerCase(Locale.ROOT).replace('_', '-');
                    places.computeIfAbsent("lora-on-" + role, any -> new ArrayList<>())
                            .add(linear.name());
                    layers.computeIfAbsent(linear.layer(), any -> new ArrayList<>())
                            .add(linear.name());
                });
        layers.forEach((layer, names) -> places.put("lora-in-layer-" + (layer + 1), names));
        List<ComparisonEntry> entries = new ArrayList<>();
        entries.add(lora("lora-everywhere", TargetModules.ALL_LINEAR, rate, headRate));
        places.forEach((place, names) ->
                entries.add(lora(place, TargetModules.names(names.toArray(String[]::new)), rate, headRate)));
        return entries;
    }

    private static ComparisonEntry lora(String name, TargetModules targets, double rate, double headRate) {
        return new ComparisonEntry.Trained(
                name, base -> new Lora(LoraConfig.DEFAULT.withTargets(targets)), rate, headRate);
    }
}
