package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.inits.LoraInit;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Activated LoRA (Greenewald et al., 2025): LoRA that takes effect from a sequence of invocation tokens on,
 * {@code y_t = W x_t + b + [t ≥ t₀] · s · B A x_t}, where t₀ is the start of their last occurrence; without one the row equals the base's.
 * Positions before t₀ have the base's keys and values, so they can come from the base's cache.
 *
 * <p>Trained: r · (in + out) for a linear layer. Starts and files are LoRA's, with {@code alora_invocation_tokens}. It can't be merged and has no
 * embeddings. Use it for an intrinsic that is called in the middle of a conversation. The tokens are searched in the model's input, including
 * cached tokens; a soft prompt has none.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Alora(LoraConfig.DEFAULT, List.of(20, 9)), 42);
 * }</pre>
 *
 * @param invocation the tokens that switch it on, at least one
 */
public record Alora(LoraConfig config, List<Integer> invocation) implements LoraVariant {
    public Alora {
        invocation = List.copyOf(invocation);
        if (invocation.isEmpty()) {
            throw new InputException(
                    "alora_invocation_tokens is missing: the token ids of the text that switches the adapter on");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public Alora with(LoraConfig newConfig) {
        return new Alora(newConfig, invocation);
    }

    @Override
    public void graft(Grafter g) {
        for (int id : invocation) {
            if (id < 0 || id >= g.base().backbone().vocabSize()) {
                throw new InputException("alora_invocation_tokens: " + id + " is outside the "
                        + g.base().backbone().vocabSize() + " tokens of "
                        + g.base().name());
            }
        }
        if (config.init().offset() != LoraInit.Offset.NONE) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", which changes the base before the invocation tokens too; expected true, gaussian or"
                    + " orthogonal");
        }
        LoraVariant.super.graft(g);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        return new Activated(LowRank.of(g, site, config), invocation);
    }

    private record Activated(LowRank update, List<Integer> invocation) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor y = update.apply(x, pass);
            return y.mul(Ops.to(active(pass, (int) y.size(1)), y.scalar_type()).unsqueeze(-1));
        }

        /** 1 from the invocation on, for the last {@code now} positions: {@code [batch, now]}. */
        private Tensor active(PassView pass, int now) {
            Tensor ids = pass.tokens();
            int rows = (int) ids.size(0);
            int seen = (int) ids.size(1);
            long[] tokens = Tensors.longs(ids);
            long[] active = new long[rows * now];
            for (int row = 0; row < rows; row++) {
                int from = last(tokens, row * seen, seen);
                for (int i = from < 0 ? now : Math.max(0, from - (seen - now)); i < now; i++) {
                    active[row * now + i] = 1;
                }
            }
            return Tensors.of(active, rows, now);
        }

        /** Returns the position where the last occurrence in a row begins, or -1. */
        private int last(long[] tokens, int row, int length) {
            for (int start = length - invocation.size(); start >= 0; start--) {
                int matched = 0;
                while (matched < invocation.size() && tokens[row + start + matched] == invocation.get(matched)) {
                    matched++;
                }
                if (matched == invocation.size()) {
                    return start;
                }
            }
            return -1;
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {
        ArrayNode tokens = json.putArray("alora_invocation_tokens");
        invocation.forEach(tokens::add);
    }

    /** Registers {@code alora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("alora", LoraMark.value("alora_invocation_tokens"));
        }

        @Override
        public String summary() {
            return "LoRA that acts only from a sequence of invocation tokens on";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withEncoder(false);
        }

        @Override
        public Method defaults() {
            return new Alora(LoraConfig.DEFAULT, List.of(0));
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            List<Integer> tokens = config.integersOrNull("alora_invocation_tokens");
            return new Alora(shared, tokens == null ? List.of() : tokens);
        }
    }
}
