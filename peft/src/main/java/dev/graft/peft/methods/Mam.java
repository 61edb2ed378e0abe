package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Mix-and-match (MAM, He et al., 2022) as AdapterHub has it: a prefix in every attention layer and a parallel adapter beside every
 * feed-forward block, {@code y = LN(x + h + s · (U σ(D x + d) + u))}.
 *
 * <p>Trained: the sum of {@link AdapterHubPrefix} and {@link Parallel}. The start is theirs: the adapter changes nothing, the prefix does.
 * Files: those of {@link Union}. Doesn't merge. Use it for generation with some per cent of the model: on summaries and translation the paper
 * has it near full fine-tuning.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Mam.DEFAULT, 42);
 * }</pre>
 */
public record Mam(AdapterHubPrefix prefix, Parallel adapter) implements Method {
    /** Thirty keys and values with 800 values inside, hidden / 2, s = 4. */
    public static final Mam DEFAULT =
            new Mam(new AdapterHubPrefix(30, false, 800, "tanh", 0, false, true, List.of()), Parallel.DEFAULT);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    private List<Method> parts() {
        return List.of(prefix, adapter);
    }

    @Override
    public void graft(Grafter g) {
        parts().forEach(part -> part.graft(g));
    }

    @Override
    public void write(ObjectNode c, Base base) {
        Union.write(c, parts(), base);
    }

    /** Registers {@code mam}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "mam";
        }

        @Override
        public String summary() {
            return "a prefix on attention and a parallel adapter beside the feed-forward block";
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(false, false, true, true);
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
        public double rateFactor() {
            return 0.5;
        }

        @Override
        public boolean reads(Fields f) {
            return Union.isOf(f, AdapterHubPrefix.Kind.INSTANCE, Parallel.Kind.INSTANCE);
        }

        @Override
        public Method read(Fields f, Base base) {
            List<Method> parts = Union.read(f, base);
            if (parts.size() == 2
                    && parts.get(0) instanceof AdapterHubPrefix prefix
                    && parts.get(1) instanceof Parallel adapter) {
                return new Mam(prefix, adapter);
            }
            throw f.wrong("configs", "prefix_tuning and par_bn, in this order");
        }
    }
}
