package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * Layerwise fine-tuning, also called partial-k or fine-tune-top: the k layers closest to the output, the final norm, the pooler and the head are
 * trained whole; everything below stays frozen. A head tied to the input embedding belongs to the bottom and stays frozen.
 *
 * <p>Trained: the parameters of those layers, about k / L of the base. Files: the parameters under their own names in PEFT's layout with
 * {@code peft_type} LAYERWISE, which PEFT lacks. Merges. Use it if only the upper layers must change: the backward pass ends at the lowest
 * trained one.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Layerwise(2), 42);
 * }</pre>
 *
 * @param topLayers k
 */
public record Layerwise(int topLayers) implements Method {
    /** The layer nearest the output. */
    public static final Layerwise DEFAULT = new Layerwise(1);

    public Layerwise {
        if (topLayers < 0) {
            throw new InputException("top_layers is " + topLayers + ", expected 0 or more");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<List<Site>> groups = FullParameterTuning.groups(g.base());
        int layers = groups.size() - 2;
        if (topLayers > layers) {
            throw new InputException(
                    "top_layers is " + topLayers + ", but " + g.base().name() + " has " + layers + " layers");
        }
        Set<Tensor> tables = FullParameterTuning.tables(g.base());
        Set<Site> chosen = groups.subList(groups.size() - 1 - topLayers, groups.size()).stream()
                .flatMap(List::stream)
                .filter(site -> !FullParameterTuning.isTable(site, tables))
                .collect(Collectors.toSet());
        FullParameterTuning.graft(g, chosen::contains);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("top_layers", topLayers);
    }

    /** Registers {@code layerwise}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "layerwise";
        }

        @Override
        public String summary() {
            return "trains the layers nearest the output whole";
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
            return "LAYERWISE";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public List<String> required() {
            return List.of("top_layers");
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Layerwise(f.integer("top_layers"));
        }
    }
}
