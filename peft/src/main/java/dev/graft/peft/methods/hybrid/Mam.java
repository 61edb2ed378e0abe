package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.Parallel;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Mix-and-match (MAM, He et al., 2022) as AdapterHub has it: a prefix in every attention layer and a parallel adapter beside every feed-forward
 * block, {@code y = LN(x + h + s · (U σ(D x + d) + u))}.
 *
 * <p>Trained: the sum of {@link AdapterHubPrefix} and {@link Parallel}. The initialisation is theirs: the bottleneck changes nothing, the prefix
 * does. Files: those of {@link Union}. Doesn't merge. Use it for generation if a few per cent of the model may be trained: in the paper it is
 * close to full fine-tuning on summaries and translation.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Mam.DEFAULT, 42);
 * }</pre>
 */
public record Mam(AdapterHubPrefix prefix, Parallel adapter) implements Method {
    /** Thirty keys and values with 800 values inside, hidden / 2, s = 4. */
    public static final Mam DEFAULT = new Mam(AdapterHubPrefix.DEFAULT.withInside(800), Parallel.DEFAULT);

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
        MethodList.write(c, parts(), base);
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
        public double rateFactor() {
            return 0.5;
        }

        @Override
        public boolean matches(Fields f) {
            return MethodList.isOf(f, AdapterHubPrefix.Kind.INSTANCE, Parallel.Kind.INSTANCE);
        }

        @Override
        public Method read(Fields f, Base base) {
            List<Method> parts = MethodList.read(f, base);
            if (parts.size() == 2
                    && parts.get(0) instanceof AdapterHubPrefix prefix
                    && parts.get(1) instanceof Parallel adapter) {
                return new Mam(prefix, adapter);
            }
            throw f.invalid("configs", "prefix_tuning and par_bn, in this order");
        }
    }
}
