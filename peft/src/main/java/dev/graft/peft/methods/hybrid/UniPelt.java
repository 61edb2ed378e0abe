package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.BottleneckConfig;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * UniPELT (Mao et al., 2022) as AdapterHub has it: a prefix, a bottleneck and LoRA in every layer, each multiplied by a gate
 * {@code g = mean over positions of sigmoid(V x + v)} of its own, so training determines the share of each: P keys and values times g,
 * {@code y = LN(x + h + g · A(LN(x + h)))}, and {@code W x + b + g · B A x}, where the gate replaces alpha / r.
 *
 * <p>Trained: the sum of {@link AdapterHubPrefix}, {@link Pfeiffer} and {@link AdapterHubLora}, and hidden + 1 for each gate. The initialisation
 * is theirs; gates start near a half. Files: those of {@link Union}. Doesn't merge: gates depend on the text. Use it if it is unknown which part
 * suits a task and a few per cent of the model may be trained.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, UniPelt.DEFAULT, 42);
 * }</pre>
 */
public record UniPelt(AdapterHubPrefix prefix, Pfeiffer adapter, AdapterHubLora lora) implements Method {
    /** Ten keys and values, hidden / 16, rank 8. */
    public static final UniPelt DEFAULT = new UniPelt(
            AdapterHubPrefix.DEFAULT.with().tokens(10).gated(true).build(),
            new Pfeiffer(BottleneckConfig.DEFAULT.withGated(true)),
            AdapterHubLora.DEFAULT.with().alpha(2).gated(true).build());

    public UniPelt {
        if (!prefix.gated() || !adapter.config().gated() || !lora.gated() || lora.scale()) {
            throw new InputException("use_gating is false for a part, expected true for all three");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    private List<Method> parts() {
        return List.of(prefix, adapter, lora);
    }

    @Override
    public void graft(Grafter g) {
        parts().forEach(part -> part.graft(g));
    }

    @Override
    public void write(ObjectNode c, Base base) {
        MethodList.write(c, parts(), base);
    }

    /** Registers {@code unipelt}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "unipelt";
        }

        @Override
        public String summary() {
            return "a prefix, a bottleneck and LoRA in every layer, each with a gate";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "union";
        }

        @Override
        public boolean matches(Fields f) {
            if (!MethodList.isOf(
                    f, AdapterHubPrefix.Kind.INSTANCE, Pfeiffer.Kind.INSTANCE, AdapterHubLora.Kind.INSTANCE)) {
                return false;
            }
            for (JsonNode part : f.list("configs")) {
                if (!part.path("use_gating").asBoolean(false)
                        || part.path("composition_mode").asString("add").equals("scale")) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public Method read(Fields f, Base base) {
            List<Method> parts = MethodList.read(f, base);
            if (parts.size() == 3
                    && parts.get(0) instanceof AdapterHubPrefix prefix
                    && parts.get(1) instanceof Pfeiffer adapter
                    && parts.get(2) instanceof AdapterHubLora lora) {
                return new UniPelt(prefix, adapter, lora);
            }
            throw f.invalid("configs", "prefix_tuning, seq_bn and lora, in this order");
        }
    }
}
