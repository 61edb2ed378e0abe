package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Cartridges (Eyuboglu et al., 2025): a trained cache of T keys and values before those of every attention layer, which replaces a long text. It
 * is one tensor {@code P [T, layers · 2 · heads · headDim]} as in {@link PTuningV2}. Its first F tokens stay frozen, as attention sinks. It
 * starts from the base's keys and values of the first T tokens of a text; the text's positions start at T.
 *
 * <p>Trained: (T - F) · 2 · layers · heads · headDim. Without a text P starts as in {@link PTuningV2}, which learns slowly. Files:
 * {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Use it for a text that a model reads repeatedly; train it on questions and
 * answers about the text.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Cartridge(128, 1, manual), 42);
 * }</pre>
 *
 * @param tokens T
 * @param frozen F
 * @param text the text that initialises a new adapter, or null; files contain only the result
 * @param init the initialisation of P without a text
 */
public record Cartridge(int tokens, int frozen, @Nullable String text, PTuningV2.Init init) implements Method {
    /** Twenty keys and values, the first of them frozen. */
    public static final Cartridge DEFAULT = new Cartridge(20, 1, null);

    /** Creates one that starts small without a text. */
    public Cartridge(int tokens, int frozen, @Nullable String text) {
        this(tokens, frozen, text, PTuningV2.Init.SMALL);
    }

    public Cartridge {
        VirtualTokens.positive(tokens);
        if (frozen < 0 || frozen > tokens) {
            throw new InputException("num_frozen_tokens is " + frozen + ", expected 0 or more and at most"
                    + " num_virtual_tokens " + tokens);
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        if (frozen == tokens && !g.isLoading()) {
            throw new InputException(
                    "num_frozen_tokens is num_virtual_tokens " + tokens + ": nothing would be trained");
        }
        PrefixTable table = PrefixTable.of(g.base());
        long width = table.width();
        Tensor sink = frozen == 0
                ? null
                : g.unsavedFrozen("prompt_encoder.frozen_embedding", part(g, table, 0, frozen), frozen, width);
        Tensor trained = g.unsavedParameter(
                "prompt_encoder.trainable_embedding", part(g, table, frozen, tokens - frozen), tokens - frozen, width);
        g.export(VirtualTokens.KEY, () -> sink == null ? trained : Ops.cat(0, sink, trained));
        table.add(g, tokens, (first, count) -> {
            Tensor columns = trained.narrow(1, first, count);
            return (sink == null ? columns : Ops.cat(0, sink.narrow(1, first, count), columns)).contiguous();
        });
    }

    /** The start of some rows of P. */
    private Initializer part(Grafter g, PrefixTable table, int first, int count) {
        if (g.isLoading()) {
            return (rng, shape) ->
                    g.stored(VirtualTokens.KEY, tokens, table.width()).narrow(0, first, count);
        }
        return text == null
                ? init.initial()
                : (rng, shape) -> ofText(g.base(), table, text).narrow(0, first, count);
    }

    /** The base's own keys and values for the first tokens of the text, {@code [T, width]}. */
    private Tensor ofText(Base base, PrefixTable table, String from) {
        int[] ids = base.tokenizer().encode(from, EncodeOptions.DEFAULT).ids();
        if (ids.length < tokens) {
            throw new InputException(
                    "init_text has " + ids.length + " tokens, expected at least num_virtual_tokens " + tokens);
        }
        long[] first = Arrays.stream(ids).limit(tokens).asLongStream().toArray();
        try (Scope scope = new Scope();
                KvCache cache = new KvCache(tokens)) {
            base.forward(Inputs.of(new long[][] {first}), ForwardPass.cached(Hooks.NONE, cache));
            if (cache.length() != tokens) {
                throw new InputException("init_text needs a causal model, and " + base.name() + " keeps no cache");
            }
            List<Tensor> columns = new ArrayList<>();
            for (int i = 0; i < table.layers().size(); i++) {
                int layer = table.layers().get(i).layer();
                columns.add(flat(cache.keys(layer), table.dim()));
                columns.add(flat(cache.values(layer), table.dim()));
            }
            return scope.keep(Ops.cat(1, columns.toArray(Tensor[]::new)));
        }
    }

    /** {@code [1, heads, T, headDim]} as {@code [T, heads · headDim]}. */
    private static Tensor flat(Tensor cached, int dim) {
        return cached.select(0, 0).transpose(0, 1).reshape(cached.size(2), dim);
    }

    /**
     * Returns the method without its small start, which is no longer needed and for which PEFT's configuration has no field.
     */
    @Override
    public Method savedMethod(Instance adapter) {
        return new Cartridge(tokens, frozen, text, PTuningV2.Init.NORMAL);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        PrefixTable.of(base).write(json, tokens, base);
        json.put("num_frozen_tokens", frozen);
        if (init.file() != null) {
            json.put("init_weights", init.file());
        }
        if (text != null) {
            json.put("init_text", text);
        }
    }

    /** Registers {@code cartridge}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "cartridge";
        }

        @Override
        public String summary() {
            return "a trained cache of keys and values that stands for a long text";
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
            return "CARTRIDGE";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public Map<String, String> optional() {
            return Map.of("init_text", "what a new adapter starts from; at least num_virtual_tokens tokens");
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Cartridge(
                    PrefixTable.of(base).read(f, base),
                    f.integer("num_frozen_tokens", 1, 0),
                    f.stringOrNull("init_text"),
                    PTuningV2.Init.read(f));
        }
    }
}
