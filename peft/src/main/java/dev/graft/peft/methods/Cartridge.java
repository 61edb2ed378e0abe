package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.KvCache;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Adapter;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
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
 * Cartridges (Eyuboglu et al., 2025): a trained cache of T keys and values before those of every attention layer, which stands for a long
 * text, one tensor {@code P [T, layers · 2 · heads · headDim]} as in {@link PTuningV2}. Its first F tokens stay frozen, as a sink for
 * attention. It starts from the keys and values that the base has for the first T tokens of a text; the text's positions start at T.
 *
 * <p>Trained: (T - F) · 2 · layers · heads · headDim. Without a text P starts as one of {@link PTuningV2}'s, which learns slowly. Files:
 * {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Use it to keep what a model reads again and again; train it on
 * questions and answers about the text.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Cartridge(128, 1, manual), 42);
 * }</pre>
 *
 * @param tokens T
 * @param frozen F
 * @param text what a new adapter starts from, or null; files hold only what became of it
 * @param start what P is before training where there is no text
 */
public record Cartridge(int tokens, int frozen, @Nullable String text, PTuningV2.Start start) implements Method {
    /** Twenty keys and values, the first of them frozen. */
    public static final Cartridge DEFAULT = new Cartridge(20, 1, null);

    /** With a small start where there is no text. */
    public Cartridge(int tokens, int frozen, @Nullable String text) {
        this(tokens, frozen, text, PTuningV2.Start.SMALL);
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
        if (frozen == tokens && !g.loads()) {
            throw new InputException(
                    "num_frozen_tokens is num_virtual_tokens " + tokens + ": nothing would be trained");
        }
        PrefixTable table = PrefixTable.of(g.base());
        long width = table.width();
        Tensor sink = frozen == 0
                ? null
                : g.innerFrozen("prompt_encoder.frozen_embedding", part(g, table, 0, frozen), frozen, width);
        Tensor trained = g.inner(
                "prompt_encoder.trainable_embedding", part(g, table, frozen, tokens - frozen), tokens - frozen, width);
        g.export(VirtualTokens.KEY, () -> sink == null ? trained : Ops.cat(0, sink, trained));
        table.add(g, tokens, (first, count) -> {
            Tensor columns = trained.narrow(1, first, count);
            return (sink == null ? columns : Ops.cat(0, sink.narrow(1, first, count), columns)).contiguous();
        });
    }

    /** The start of some rows of P. */
    private Initial part(Grafter g, PrefixTable table, int first, int count) {
        if (g.loads()) {
            return (rng, shape) ->
                    g.stored(VirtualTokens.KEY, tokens, table.width()).narrow(0, first, count);
        }
        return text == null
                ? start.initial()
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
            base.hidden(Inputs.of(new long[][] {first}), Pass.cached(Hooks.NONE, cache));
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

    /** Without its small start, which is past and for which PEFT's configuration has no field. */
    @Override
    public Method saved(Adapter adapter) {
        return new Cartridge(tokens, frozen, text, PTuningV2.Start.NORMAL);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        PrefixTable.of(base).write(json, tokens, base);
        json.put("num_frozen_tokens", frozen);
        if (start.file() != null) {
            json.put("init_weights", start.file());
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
            return new Capabilities(false, false, true, true);
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
                    PTuningV2.Start.read(f));
        }
    }
}
