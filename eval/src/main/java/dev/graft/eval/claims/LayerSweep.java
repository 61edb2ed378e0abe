package dev.graft.eval.claims;

import dev.graft.eval.compare.Contender;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Targets;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
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
     * The contenders.
     *
     * @param rate LoRA's usual learning rate
     * @param headRate what the head learns at beside it
     */
    public static List<Contender> of(Base base, double rate, double headRate) {
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
        List<Contender> contenders = new ArrayList<>();
        contenders.add(lora("lora-everywhere", Targets.ALL_LINEAR, rate, headRate));
        places.forEach((place, names) ->
                contenders.add(lora(place, Targets.names(names.toArray(String[]::new)), rate, headRate)));
        return contenders;
    }

    private static Contender lora(String name, Targets targets, double rate, double headRate) {
        return new Contender.Trained(name, base -> new Lora(LoraConfig.DEFAULT.withTargets(targets)), rate, headRate);
    }
}
