package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * P-Tuning v2 (Liu et al., 2022): deep prompts, that is T trained keys and values before those of every attention layer, without a network, and a
 * trained head on encoders. They are one tensor {@code P [T, layers · 2 · heads · headDim]}, viewed as {@code [T, 2 · layers, heads, headDim]}:
 * layer i has its keys at 2i, its values at 2i + 1; heads are the key/value heads. PEFT calls this prefix tuning without a projection. On
 * decoders the text's positions start at T, as after any cache; encoders with learned positions keep theirs.
 *
 * <p>Trained: T · 2 · layers · heads · headDim. P starts normal around 0 with deviation 0.02; PEFT's is 1, which on decoders destroys the base's
 * abilities ({@code --compat peft} uses it). Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Use it for
 * classification and tagging, with 5 to 20 tokens for simple tasks and 100 for hard ones, and a learning rate of 5e-3 or more.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new PTuningV2(20, PTuningV2.Init.SMALL), 42);
 * }</pre>
 *
 * @param tokens T
 * @param init the initialisation of P
 */
public record PTuningV2(int tokens, Init init) implements Method {
    /** Twenty keys and values. */
    public static final PTuningV2 DEFAULT = new PTuningV2(20, Init.SMALL);

    /** The start of P before training, {@code init_weights} in a file. */
    public enum Init {
        /** Normal around 0 with deviation 1, as in PEFT. */
        NORMAL(null, Initializer.normal(1)),
        /** Normal around 0 with deviation 0.02; PEFT reads a file with this value as its own start. */
        SMALL("small", Initializer.normal(0.02)),
        /** Zeros: every query attends to T empty keys, which isn't the identity either. */
        ZERO("zero", Initializer.ZEROS);

        private final @Nullable String file;
        private final Initializer initializer;

        Init(@Nullable String file, Initializer initializer) {
            this.file = file;
            this.initializer = initializer;
        }

        /** Its name in files. */
        @Nullable
        String file() {
            return file;
        }

        Initializer initial() {
            return initializer;
        }

        static Init read(Fields f) {
            String name = f.stringOrNull("init_weights");
            return Stream.of(values())
                    .filter(init -> Objects.equals(init.file, name))
                    .findFirst()
                    .orElseThrow(() -> f.invalid("init_weights", "\"small\", \"zero\" or null", "small", "zero"));
        }
    }

    public PTuningV2 {
        VirtualTokens.positive(tokens);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        PrefixTable table = PrefixTable.of(g.base());
        table.add(g, tokens, plain(g, tokens, table, init));
    }

    /** P itself. */
    static PrefixTable.Columns plain(Grafter g, int tokens, PrefixTable table, Init init) {
        Tensor p = g.parameter(VirtualTokens.KEY, init.initializer, tokens, table.width());
        return (first, count) -> p.narrow(1, first, count);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        PrefixTable table = PrefixTable.of(base);
        table.write(json, tokens, base);
        json.put("prefix_projection", false);
        json.put("encoder_hidden_size", table.dim());
        json.put("init_weights", init.file);
    }

    /** Reads the method of a file without a projection. */
    static PTuningV2 read(Fields f, Base base) {
        int tokens = PrefixTable.of(base).read(f, base);
        f.ignore("prefix_projection");
        f.integerOrNull("encoder_hidden_size", 1, Integer.MAX_VALUE);
        return new PTuningV2(tokens, Init.read(f));
    }

    /** Registers {@code p-tuning-v2}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "p-tuning-v2";
        }

        @Override
        public String summary() {
            return "trains keys and values that every attention layer sees before the text's own";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
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
            return "PREFIX_TUNING";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public boolean matches(Fields config) {
            return !config.bool("prefix_projection", false);
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            return f.bool("prefix_projection", false)
                    ? Methods.named("prefix-tuning").read(f, base)
                    : PTuningV2.read(f, base);
        }
    }
}
