package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * P-Tuning v2 (Liu et al., 2022): deep prompts, that is T trained keys and values before those of every attention layer, without a network
 * that makes them, and a trained head on encoders. They are one tensor {@code P [T, layers · 2 · heads · headDim]}, viewed as
 * {@code [T, 2 · layers, heads, headDim]}: layer i has its keys at 2i, its values at 2i + 1; heads are the key/value heads. PEFT calls this
 * prefix tuning without a projection. On decoders the text's positions start at T, as behind any cache; encoders with learned positions
 * keep theirs.
 *
 * <p>Trained: T · 2 · layers · heads · headDim. P starts normal around 0 with deviation 0.02; PEFT's is 1,
 * which on decoders ruins what the base can do ({@code --compat peft} starts so). Files: {@code prompt_embeddings}. Doesn't merge,
 * and has no strength but 1. Use it for classification and tagging, with 5 to 20 tokens for simple tasks and 100 for hard ones, and a
 * learning rate of 5e-3 or more.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new PTuningV2(20, PTuningV2.Start.SMALL), 42);
 * }</pre>
 *
 * @param tokens T
 * @param start what P is before training
 */
public record PTuningV2(int tokens, Start start) implements Method {
    /** Twenty keys and values. */
    public static final PTuningV2 DEFAULT = new PTuningV2(20, Start.SMALL);

    /** What P is before training, and {@code init_weights} in a file. */
    public enum Start {
        /** Normal around 0 with deviation 1, as in PEFT. */
        NORMAL(null, Initial.normal(1)),
        /** Normal around 0 with deviation 0.02; PEFT takes a file that says so for its own start. */
        SMALL("small", Initial.normal(0.02)),
        /** Zeros: every query looks at T empty keys, which isn't the identity either. */
        ZERO("zero", Initial.ZEROS);

        private final @Nullable String file;
        private final Initial initial;

        Start(@Nullable String file, Initial initial) {
            this.file = file;
            this.initial = initial;
        }

        /** Its name in a file. */
        @Nullable
        String file() {
            return file;
        }

        Initial initial() {
            return initial;
        }

        static Start read(Fields f) {
            String name = f.stringOrNull("init_weights");
            return Stream.of(values())
                    .filter(start -> Objects.equals(start.file, name))
                    .findFirst()
                    .orElseThrow(() -> f.wrong("init_weights", "\"small\", \"zero\" or null"));
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
        table.add(g, tokens, plain(g, tokens, table, start));
    }

    /** P itself. */
    static PrefixTable.Columns plain(Grafter g, int tokens, PrefixTable table, Start start) {
        Tensor p = g.parameter(VirtualTokens.KEY, start.initial, tokens, table.width());
        return (first, count) -> p.narrow(1, first, count);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        PrefixTable table = PrefixTable.of(base);
        table.write(json, tokens, base);
        json.put("prefix_projection", false);
        json.put("encoder_hidden_size", table.dim());
        json.put("init_weights", start.file);
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
            return new Capabilities(false, false, true, true);
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
        public boolean reads(Fields config) {
            return !config.bool("prefix_projection", false);
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            return PrefixTuning.read(f, base);
        }
    }
}
