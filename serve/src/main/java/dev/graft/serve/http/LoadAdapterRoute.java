package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinationSettings.Election;
import dev.graft.peft.composition.MaskSampler;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.VirtualAdapter;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * vLLM's {@code /v1/load_lora_adapter} and {@code /v1/unload_lora_adapter}, for adapters of any method. In place of {@code lora_path} there may be
 * {@code adapters} with their weights: a {@link VirtualAdapter}.
 */
final class LoadAdapterRoute implements Route {
    private final Adapters adapters;
    private final boolean load;

    LoadAdapterRoute(Adapters adapters, boolean load) {
        this.adapters = adapters;
        this.load = load;
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        String name = fields.string("lora_name");
        exchange.setModel(name);
        boolean made = load && fields.has("adapters");
        try {
            if (made) {
                adapters.add(name, virtual(fields));
            } else if (load) {
                String path = fields.string("lora_path");
                boolean again = fields.bool("load_inplace", false);
                fields.rejectUnread("It is not supported; leave it out");
                if (again) {
                    adapters.replace(name, path);
                } else {
                    adapters.add(name, path);
                }
            } else {
                fields.integerOrNull("lora_int_id");
                fields.rejectUnread("It is not supported; leave it out");
                adapters.remove(name);
            }
        } catch (UnknownAdapterException unknown) {
            throw ApiError.of(unknown).forField(made ? "adapters" : load ? "lora_path" : "lora_name");
        }
        exchange.send(
                200,
                "text/plain; charset=utf-8",
                "Success: LoRA adapter '" + name + "' " + (load ? "added" : "removed") + " successfully.");
    }

    private static VirtualAdapter virtual(Fields fields) {
        Fields named = fields.object("adapters");
        Map<String, Double> weights = new LinkedHashMap<>();
        named.names().forEach(name -> weights.put(name, named.number(name)));
        Combination combination =
                ApiError.forField("combination", () -> Combination.named(fields.string("combination", "linear")));
        CombinationSettings usual = CombinationSettings.DEFAULT;
        CombinationSettings settings = new CombinationSettings(
                combination.isSum() ? usual.density() : fields.number("density", usual.density()),
                combination.isRanked() ? fields.number("epsilon", usual.epsilon()) : usual.epsilon(),
                combination.dropsOutliers() ? fields.number("gamma", usual.gamma()) : usual.gamma(),
                combination.isMean()
                                && fields.choice("majority_sign_method", "total", "total", "frequency")
                                        .equals("frequency")
                        ? Election.FREQUENCY
                        : Election.TOTAL,
                combination.isRandom() ? MaskSampler.of(fields.integer("seed", 0)) : usual.sampler());
        Integer rank = combination == Combination.AVERAGE ? null : fields.integerOrNull("rank", 1, Integer.MAX_VALUE);
        fields.rejectUnread("It doesn't belong to the combination " + combination.title() + "; leave it out");
        return new VirtualAdapter(weights, combination, settings, rank);
    }
}
