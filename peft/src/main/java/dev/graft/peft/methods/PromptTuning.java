package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prompt tuning (Lester et al., 2021): T trained rows {@code [T, hidden]} before the embeddings of the tokens. They take positions 0 to
 * T - 1 and shift the text behind them; a classifier that reads the first position reads the first of them.
 *
 * <p>Trained: T · hidden. Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Every sequence gets T positions
 * longer, in the outputs too. Use it where one copy of the base serves many tasks and only a few kilobytes a task may be stored; it needs
 * higher learning rates and more steps than LoRA, and small models get less from it.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, PromptTuning.text(20, "Is this review good or bad?"), 42);
 * }</pre>
 *
 * @param tokens T
 * @param start how the rows start
 * @param text what they start from with {@link Start#TEXT}
 * @param tokenizer what the tokenizer of the text was called, or null for the base's name
 */
public record PromptTuning(
        int tokens,
        Start start,
        @Nullable String text,
        @Nullable String tokenizer) implements Method {
    private static final String KEY = "prompt_embeddings";

    /** How the rows start. */
    public enum Start {
        /** Normal around 0 with deviation 1, as PEFT does by default; far from the embeddings of words. */
        RANDOM,
        /** Embeddings of tokens drawn from the vocabulary. */
        SAMPLE_VOCAB,
        /** Embeddings of a text's tokens, cut or repeated to the length. */
        TEXT
    }

    /** Twenty rows that start as words of the vocabulary. */
    public static final PromptTuning DEFAULT = new PromptTuning(20, Start.SAMPLE_VOCAB, null, null);

    public PromptTuning {
        if (tokens < 1) {
            throw new InputException("num_virtual_tokens is " + tokens + ", expected at least 1");
        }
        if (start == Start.TEXT && (text == null || text.isEmpty())) {
            throw new InputException("prompt_tuning_init is TEXT, so prompt_tuning_init_text must be given");
        }
    }

    /** Rows that start as a text. */
    public static PromptTuning text(int tokens, String text) {
        return new PromptTuning(tokens, Start.TEXT, text, null);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        VirtualTokens.check(tokens, g.base());
        Embedding table = input(g.base());
        Initial initial = switch (start) {
            case RANDOM -> Initial.normal(1);
            case SAMPLE_VOCAB -> (rng, shape) -> rows(table, sampled(rng, table.rows()));
            case TEXT -> (rng, shape) -> rows(table, ofText(g.base()));
        };
        Tensor rows = g.parameter(KEY, initial, tokens, table.hidden());
        g.add(table, new Effect.Prompt(pass -> rows));
    }

    private long[] sampled(Rng rng, long vocabulary) {
        long[] ids = new long[tokens];
        for (int i = 0; i < tokens; i++) {
            ids[i] = rng.below(Math.toIntExact(vocabulary));
        }
        return ids;
    }

    private long[] ofText(Base base) {
        int[] words = base.tokenizer()
                .encode(text == null ? "" : text, EncodeOptions.DEFAULT)
                .ids();
        if (words.length == 0) {
            throw new InputException("prompt_tuning_init_text \"" + text + "\" has no tokens");
        }
        long[] ids = new long[tokens];
        for (int i = 0; i < tokens; i++) {
            ids[i] = words[i % words.length];
        }
        return ids;
    }

    private static Tensor rows(Embedding table, long[] ids) {
        return table.weight().detach().index_select(0, Tensors.of(ids, ids.length));
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
        VirtualTokens.write(json, tokens, base, heads(base), base.backbone().hiddenSize());
        json.put("prompt_tuning_init", start.name());
        json.put("prompt_tuning_init_text", text);
        json.put("tokenizer_name_or_path", start == Start.TEXT && tokenizer == null ? base.name() : tokenizer);
        json.putNull("tokenizer_kwargs");
    }

    private static int heads(Base base) {
        return base.config().integer("num_attention_heads");
    }

    /** Registers {@code prompt-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

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
            return new Capabilities(false, false, true, true);
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
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            // How the tokenizer was opened for the first values; the file holds the trained ones.
            f.informational("tokenizer_kwargs");
            String start = f.choice("prompt_tuning_init", "RANDOM", "RANDOM", "SAMPLE_VOCAB", "TEXT");
            return new PromptTuning(
                    VirtualTokens.read(f, base, heads(base), base.backbone().hiddenSize()),
                    Start.valueOf(start),
                    f.stringOrNull("prompt_tuning_init_text"),
                    f.stringOrNull("tokenizer_name_or_path"));
        }
    }
}
