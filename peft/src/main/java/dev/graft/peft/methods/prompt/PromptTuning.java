package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prompt tuning (Lester et al., 2021): T trained rows {@code [T, hidden]} before the embeddings of the tokens. They occupy positions 0 to T - 1
 * and shift the text; a classifier that reads the first position reads the first of them.
 *
 * <p>Trained: T · hidden. Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Every sequence becomes T positions longer,
 * also in the outputs. Use it if one copy of the base serves many tasks with a few kilobytes each. It needs higher learning rates and more steps
 * than LoRA, and small models benefit less.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, PromptTuning.text(20, "Is this review good or bad?"), 42);
 * }</pre>
 *
 * @param tokens T
 * @param init the initialisation of the rows
 * @param text the text that initialises them with {@link Init#TEXT} or {@link Init#CLASS_LABELS}
 * @param tokenizer the name of the tokenizer of the text, or null for the base's name
 * @param sets the number of sets of T rows in files: 1, or 2 as in PEFT for encoder-decoders, which never uses the second
 */
public record PromptTuning(
        int tokens,
        Init init,
        @Nullable String text,
        @Nullable String tokenizer,
        int sets) implements Method {
    /** The initialisation of the rows. */
    public enum Init {
        /** Normal around 0 with deviation 1, as PEFT does by default; far from the embeddings of words. */
        RANDOM,
        /** Embeddings of tokens drawn from the vocabulary. */
        SAMPLE_VOCAB,
        /** Embeddings of a text's tokens, cut or repeated to the length. */
        TEXT,
        /**
         * The mean embedding of each class label's tokens, then embeddings of tokens drawn from the vocabulary. The labels are the base's,
         * or those that the text names, with commas between them.
         */
        CLASS_LABELS;

        /** The first values {@code [T, hidden]}. */
        Initializer rows(Base base, Embedding table, @Nullable String text) {
            return switch (this) {
                case RANDOM -> Initializer.normal(1);
                case SAMPLE_VOCAB -> (rng, shape) -> sampled(rng, table, shape[0]);
                case TEXT -> (rng, shape) -> ofText(base, table, text == null ? "" : text, shape[0]);
                case CLASS_LABELS -> (rng, shape) -> ofLabels(rng, base, table, text, shape[0]);
            };
        }

        private static Tensor sampled(Rng rng, Embedding table, long count) {
            long[] ids = new long[Math.toIntExact(count)];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = rng.nextInt(Math.toIntExact(table.rows()));
            }
            return lookUp(table, ids);
        }

        private static Tensor ofText(Base base, Embedding table, String text, long count) {
            int[] words = base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids();
            if (words.length == 0) {
                throw new InputException("prompt_tuning_init_text \"" + text + "\" has no tokens");
            }
            long[] ids = new long[Math.toIntExact(count)];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = words[i % words.length];
            }
            return lookUp(table, ids);
        }

        private static Tensor ofLabels(Rng rng, Base base, Embedding table, @Nullable String text, long count) {
            List<String> labels =
                    text == null ? base.labels() : List.of(text.strip().split("\\s*,\\s*"));
            if (labels.isEmpty()) {
                throw new InputException("prompt_tuning_init is CLASS_LABELS, but " + base.name()
                        + " has no labels: name them in prompt_tuning_init_text, with commas between them");
            }
            if (labels.size() > count) {
                throw new InputException("prompt_tuning_init is CLASS_LABELS and there are " + labels.size()
                        + " labels, but num_virtual_tokens is only " + count);
            }
            List<Tensor> rows = new ArrayList<>();
            for (String label : labels) {
                int[] ids = base.tokenizer()
                        .encode(label, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                        .ids();
                if (ids.length == 0) {
                    throw new InputException("the label \"" + label + "\" has no tokens");
                }
                rows.add(
                        Ops.mean(lookUp(table, Arrays.stream(ids).asLongStream().toArray()), 0, true));
            }
            rows.add(sampled(rng, table, count - rows.size()));
            return Ops.cat(0, rows.toArray(Tensor[]::new));
        }

        private static Tensor lookUp(Embedding table, long[] ids) {
            return Ops.to(table.weight().detach().index_select(0, Tensors.of(ids, ids.length)), ScalarType.Float);
        }
    }

    /** Twenty rows that start as tokens of the vocabulary. */
    public static final PromptTuning DEFAULT = new PromptTuning(20, Init.SAMPLE_VOCAB, null, null);

    public PromptTuning {
        VirtualTokens.positive(tokens);
        if (init == Init.TEXT && (text == null || text.isEmpty())) {
            throw new InputException("prompt_tuning_init is TEXT, so prompt_tuning_init_text must be given");
        }
    }

    /** Creates one with one set of rows. */
    public PromptTuning(int tokens, Init init, @Nullable String text, @Nullable String tokenizer) {
        this(tokens, init, text, tokenizer, 1);
    }

    /** Creates one whose rows start as a text. */
    public static PromptTuning text(int tokens, String text) {
        return new PromptTuning(tokens, Init.TEXT, text, null);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        VirtualTokens.check(tokens, g.base());
        Embedding table = input(g.base());
        Tensor rows =
                g.parameter(VirtualTokens.KEY, init.rows(g.base(), table, text), (long) sets * tokens, table.hidden());
        g.add(table, new Effect.Prompt(tokens, pass -> rows.narrow(0, 0, tokens)));
    }

    static Embedding input(Base base) {
        for (Site site : base.sites()) {
            if (site instanceof Embedding embedding && embedding.input()) {
                return embedding;
            }
        }
        throw new InputException(base.name() + " has no token embeddings, before which a prompt could be put");
    }

    @Override
    public void write(ObjectNode json, Base base) {
        VirtualTokens.write(json, tokens, sets, base);
        json.put("prompt_tuning_init", init.name());
        json.put("prompt_tuning_init_text", text);
        json.put("tokenizer_name_or_path", init == Init.TEXT && tokenizer == null ? base.name() : tokenizer);
        json.putNull("tokenizer_kwargs");
    }

    /** Registers {@code prompt-tuning}. */
    public static final class Kind implements Type {
        public static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "prompt-tuning";
        }

        @Override
        public String summary() {
            return "trains embeddings that are put before those of the text";
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
            return "PROMPT_TUNING";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            // How the tokenizer was opened for the first values; the file holds the trained ones.
            f.ignore("tokenizer_kwargs");
            String start = f.choice("prompt_tuning_init", "RANDOM", "RANDOM", "SAMPLE_VOCAB", "TEXT", "CLASS_LABELS");
            return new PromptTuning(
                    VirtualTokens.read(f, base),
                    Init.valueOf(start),
                    f.stringOrNull("prompt_tuning_init_text"),
                    f.stringOrNull("tokenizer_name_or_path"),
                    VirtualTokens.sets(f, base));
        }
    }
}
