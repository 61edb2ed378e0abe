package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Factors;
import dev.graft.peft.Statistics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * EVA (Paischer et al., 2024): A is the first principal components of the layer's inputs, B is zero. Ranks are redistributed to the components,
 * over all layers, that explain the largest share of their layer's variance; a layer has at most ρ · r. PEFT computes the components
 * incrementally until they move less than τ; here they are exact, so τ has no effect.
 *
 * @param rho ρ; 1 leaves the ranks unchanged
 * @param tau τ, which only PEFT uses
 * @param labelled whether only positions with a label count
 * @param masked the label that means none, for PEFT
 * @param whiten whether each component is divided by the root of its singular value
 * @param adjustsAlpha whether alpha changes with the rank, so that the scaling stays
 */
public record Eva(double rho, double tau, boolean labelled, int masked, boolean whiten, boolean adjustsAlpha)
        implements LoraInit {
    /** ρ = 2. */
    public static final Eva DEFAULT = new Eva(2, 0.99, true, -100, false, true);

    static Eva read(Fields f) {
        return new Eva(
                f.number("rho", 2, 1, 1000),
                f.number("tau", 0.99, 0, 1),
                f.bool("use_label_mask", true),
                f.integer("label_mask_value", -100),
                f.bool("whiten", false),
                f.bool("adjust_scaling_factors", true));
    }

    @Override
    public void write(ObjectNode config) {
        ObjectNode c = config.putObject("eva_config");
        c.put("rho", rho);
        c.put("tau", tau);
        c.put("use_label_mask", labelled);
        c.put("label_mask_value", masked);
        c.put("whiten", whiten);
        c.put("adjust_scaling_factors", adjustsAlpha);
    }

    @Override
    public String name() {
        return "eva";
    }

    @Override
    public boolean needsData() {
        return true;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        Statistics.Components found = context.requireStatistics(name()).components(context.site(), labelled);
        Tensor a = found.vectors().narrow(0, 0, r);
        if (whiten) {
            // The singular values are the roots of the energies.
            Tensor values = found.energies().narrow(0, 0, r).clamp_min(new org.bytedeco.pytorch.Scalar(1e-12));
            a = a.div(Ops.to(values.sqrt().sqrt(), ScalarType.Float).unsqueeze(1));
        }
        return new Factors(a, Tensors.zeros(ScalarType.Float, context.site().out(), r));
    }

    /** A component of a layer with the share of the layer's variance that it explains. */
    private record Component(String layer, int index, double share) {}

    /** Returns ranks by layer with the same sum as {@code given}; 0 for layers without any. */
    public Map<String, Integer> ranks(Map<Linear, Integer> given, Statistics statistics) {
        List<Component> all = new ArrayList<>();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        int budget = 0;
        for (Map.Entry<Linear, Integer> entry : given.entrySet()) {
            Linear layer = entry.getKey();
            double[] energies =
                    Tensors.doubles(statistics.components(layer, labelled).energies());
            double total = 0;
            for (double energy : energies) {
                total += energy;
            }
            long most = Math.min(Math.round(entry.getValue() * rho), energies.length);
            for (int i = 0; i < most; i++) {
                all.add(new Component(layer.name(), i, energies[i] / total));
            }
            budget += entry.getValue();
            ranks.put(layer.name(), 0);
        }
        all.sort(Comparator.comparingDouble(Component::share).reversed());
        all.stream().limit(budget).forEach(component -> ranks.merge(component.layer(), 1, Integer::sum));
        return ranks;
    }
}
