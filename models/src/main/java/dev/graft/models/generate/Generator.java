package dev.graft.models.generate;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens.TokenRole;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedOps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Generates text with a causal language model or an encoder-decoder and, by {@link Hooks}, its adapters. A batch is padded on the left, with
 * positions counted from the mask; finished rows leave the batch. Any number of threads may use one generator.
 *
 * <pre>{@code
 * Generator generator = new Generator(Base.load("smollm2", Base.Options.DEFAULT));
 * GeneratedText answer = generator.generate("The capital of France is", GenerateOptions.DEFAULT.withMaxNewTokens(5));
 * }</pre>
 *
 * <p>With equal seeds a prompt has the same draws alone and in any batch; equal prompts in a batch draw differently. Logits of a batch may differ
 * in their last bits from those of a single row, because of other matrix kernels.
 */
public final class Generator {
    /** Prompts go through the model in parts of this many tokens, which bounds the memory of attention. */
    private static final int PART = 512;

    private final Base base;
    private final @Nullable Tokenizer tokenizer;

    /** True if an encoder reads the prompt and a decoder answers, so that a new text begins. */
    private final boolean isEncoderDecoder;

    private final GenerationConfig generationConfig;

    /**
     * Creates a generator with the tokenizer that came with the model.
     *
     * @throws InputException if the model predicts no next tokens
     */
    public Generator(Base base) {
        this(base, base.tokenizer());
    }

    /**
     * Creates a generator with that tokenizer; without one it only continues token ids.
     *
     * @throws InputException if the model predicts no next tokens
     */
    public Generator(Base base, @Nullable Tokenizer tokenizer) {
        this(base, tokenizer, null);
    }

    /**
     * Creates a generator for speech in that language.
     *
     * @param language a language such as {@code en}; null for the one that the model's files name, and for models without a choice
     */
    public Generator(Base base, @Nullable Tokenizer tokenizer, @Nullable String language) {
        if (base.task() != Task.CAUSAL_LM && base.task() != Task.SEQ_2_SEQ_LM) {
            throw new InputException(base.name() + " is loaded for " + base.task()
                    + ", generating text needs CAUSAL_LM or SEQ_2_SEQ_LM");
        }
        this.base = base;
        this.isEncoderDecoder = base.task() == Task.SEQ_2_SEQ_LM;
        this.generationConfig = GenerationConfig.of(base, language);
        this.tokenizer = tokenizer;
    }

    /** Continues a text with the frozen model. */
    public GeneratedText generate(String prompt, GenerateOptions options) {
        return generate(prompt, options, Hooks.NONE, TextListener.SILENT);
    }

    /** Continues a text. */
    public GeneratedText generate(String prompt, GenerateOptions options, Hooks hooks, TextListener listener) {
        if (tokenizer == null) {
            throw new InputException(base.name() + " has no tokenizer: give token ids instead of a text");
        }
        int[] ids = tokenizer.encode(prompt, EncodeOptions.DEFAULT).ids();
        return generate(List.of(ids), options, hooks, listener).get(0);
    }

    /**
     * Continues a batch of token ids.
     *
     * @param prompts the token ids of each text
     * @param hooks the hooks of the rows; {@link Hooks#selectRows} is called when rows leave the batch
     * @return the texts, in the order of the prompts
     * @throws InputException if a prompt is empty, too long for the model or has unknown ids
     */
    public List<GeneratedText> generate(
            List<int[]> prompts, GenerateOptions options, Hooks hooks, TextListener listener) {
        try (KvCache cache = new KvCache(0)) {
            return generate(prompts, options, hooks, listener, cache);
        }
    }

    /**
     * Continues token ids and keeps what the model has read in the cache. A later prompt is read only from its first difference on, as in the
     * turns of a conversation. The base and the hooks must be the same in all calls with a cache.
     *
     * <p>If adapters affect more than single positions, as prompts and interventions do, every prompt is read whole.
     */
    public GeneratedText generate(
            int[] prompt, GenerateOptions options, Hooks hooks, TextListener listener, KvCache cache) {
        boolean keeps = !isEncoderDecoder
                && !base.backbone().rotatesDifferently(cache.longestText(), prompt.length)
                && base.sites().stream()
                        .filter(site -> !(site instanceof Linear || site instanceof Norm || site instanceof Block))
                        .allMatch(hooks::isFrozen);
        if (keeps) {
            try (Scope scope = new Scope()) {
                cache.keepBeginning(prompt);
            }
        } else {
            cache.close();
        }
        return generate(List.of(prompt), options, hooks, listener, cache).get(0);
    }

    /**
     * Generates texts for inputs of an encoder that aren't only text, such as recordings.
     *
     * @param source the inputs, without decoder inputs
     * @return the texts, in the order of the rows
     */
    public List<GeneratedText> generate(Inputs source, GenerateOptions options, Hooks hooks, TextListener listener) {
        if (!isEncoderDecoder) {
            throw new InputException(base.name() + " has no encoder, which would read what isn't text");
        }
        List<int[]> starts = Collections.nCopies(Math.toIntExact(source.rows()), generationConfig.decoderStartTokens());
        try (KvCache cache = new KvCache(0)) {
            return write(begin(starts, options, listener), source, options, hooks, listener, cache);
        }
    }

    private List<GeneratedText> generate(
            List<int[]> prompts, GenerateOptions options, Hooks hooks, TextListener listener, KvCache cache) {
        for (int row = 0; row < prompts.size(); row++) {
            check(row, prompts.get(row));
        }
        List<Continuation> texts = begin(prompts, options, listener);
        if (texts.isEmpty()) {
            return List.of();
        }
        try (Scope scope = new Scope()) {
            Inputs source = isEncoderDecoder ? source(prompts) : null;
            return write(texts, source, options, hooks, listener, cache);
        }
    }

    private List<GeneratedText> write(
            List<Continuation> texts,
            @Nullable Inputs source,
            GenerateOptions options,
            Hooks hooks,
            TextListener listener,
            KvCache cache) {
        if (options.beams().count() == 1) {
            return sample(texts, source, options, hooks, cache);
        }
        List<GeneratedText> best = new ArrayList<>();
        for (int row = 0; row < texts.size(); row++) {
            try (Scope scope = new Scope()) {
                Inputs own = source == null ? null : source.row(row);
                best.add(search(texts.get(row), own, options, hooks.selectRows(row), listener));
            }
        }
        return best;
    }

    private List<GeneratedText> sample(
            List<Continuation> all, @Nullable Inputs source, GenerateOptions options, Hooks hooks, KvCache cache) {
        try (InferenceScope mode = new InferenceScope()) {
            float[][] logits = read(all, source, options, hooks, cache);
            Hooks acting = hooks;
            List<Continuation> active = all;
            while (true) {
                int[] going = step(active, logits, cache);
                if (going.length == 0) {
                    return all.stream().map(Continuation::result).toList();
                }
                if (going.length < active.size()) {
                    List<Continuation> before = active;
                    active = Arrays.stream(going).mapToObj(before::get).toList();
                    acting = acting.selectRows(going);
                    try (Scope scope = new Scope()) {
                        cache.select(going);
                    }
                }
                logits = next(active.stream().map(Continuation::allIds).toList(), acting, cache);
            }
        }
    }

    private GeneratedText search(
            Continuation continuation,
            @Nullable Inputs source,
            GenerateOptions options,
            Hooks hooks,
            TextListener listener) {
        try (InferenceScope mode = new InferenceScope();
                KvCache cache = new KvCache(0)) {
            float[][] logits = read(List.of(continuation), source, options, hooks, cache);
            BeamSearch search = new BeamSearch(
                    continuation.prompt, options, bans(options), endTokens(options), places(continuation, cache));
            search.step(logits);
            Hooks acting = hooks;
            while (search.isRunning()) {
                int[] parents = search.parents();
                acting = acting.selectRows(parents);
                try (Scope scope = new Scope()) {
                    cache.select(parents);
                }
                search.step(next(search.texts(), acting, cache));
            }
            int[] ids = search.best();
            String written = tokenizer == null ? "" : tokenizer.decode(ids, true);
            if (!written.isEmpty()) {
                listener.onText(continuation.row, written);
            }
            return new GeneratedText(ids, written, search.reason());
        }
    }

    /** Reads the prompts, or what they are answers to; gives the logits of the first new token of each row. */
    private float[][] read(
            List<Continuation> all, @Nullable Inputs source, GenerateOptions options, Hooks hooks, KvCache cache) {
        List<int[]> texts = all.stream().map(Continuation::allIds).toList();
        try (Scope scope = new Scope()) {
            cache.reserve(longest(texts) + (long) options.maxNewTokens());
        }
        float[][] logits = source == null ? prefill(texts, hooks, cache) : encode(source, texts, hooks, cache);
        requirePlace(all, cache);
        return logits;
    }

    /** The logits of what follows the texts, of which the cache lacks the last token. */
    private float[][] next(List<int[]> texts, Hooks hooks, KvCache cache) {
        if (base.backbone().rotatesDifferently(cache.longestText(), longest(texts) + cache.virtualPositions())) {
            cache.close();
            return prefill(texts, hooks, cache);
        }
        return decode(texts, hooks, cache);
    }

    private static int longest(List<int[]> texts) {
        return texts.stream().mapToInt(text -> text.length).max().orElse(0);
    }

    private List<Continuation> begin(List<int[]> prompts, GenerateOptions options, TextListener listener) {
        if (tokenizer == null && !options.stop().isEmpty()) {
            throw new InputException(base.name() + " has no tokenizer, which stop strings need");
        }
        Set<Integer> endTokens = endTokens(options);
        Map<List<Integer>, Integer> copies = new HashMap<>();
        List<Continuation> texts = new ArrayList<>();
        for (int row = 0; row < prompts.size(); row++) {
            int[] prompt = isEncoderDecoder ? generationConfig.decoderStartTokens() : prompts.get(row);
            int copy = copies.merge(Arrays.stream(prompts.get(row)).boxed().toList(), 1, Integer::sum);
            texts.add(continuation(row, prompt, options, endTokens, copy, listener));
        }
        return texts;
    }

    private Continuation continuation(
            int row, int[] prompt, GenerateOptions options, Set<Integer> endTokens, int copy, TextListener listener) {
        Sampler sampler = new Sampler(options, Rng.of(options.seed(), "generate " + copy));
        return new Continuation(row, prompt, options, endTokens, sampler, bans(options), tokenizer, listener);
    }

    /**
     * Creates a text to continue by the caller's own passes, with the same draws as in {@link #generate}.
     *
     * @param copy the number of this copy of the same prompt and options, from 1 on: equal prompts draw differently
     * @throws InputException if the prompt is empty, too long for the model or has unknown ids
     */
    public Continuation begin(int[] prompt, GenerateOptions options, int copy, TextListener listener) {
        if (isEncoderDecoder) {
            throw new InputException(base.name() + " answers what its encoder reads, it continues no texts");
        }
        check(0, prompt);
        return continuation(0, prompt, options, endTokens(options), copy, listener);
    }

    private SuppressedTokens bans(GenerateOptions options) {
        return new SuppressedTokens(generationConfig, options.noRepeatNgramSize());
    }

    /** Returns the tokens that end a text: those of the options, else those of the model and its tokenizer. */
    public Set<Integer> endTokens(GenerateOptions options) {
        Set<Integer> chosen = options.endTokens();
        if (chosen != null) {
            return chosen;
        }
        Set<Integer> ids = new TreeSet<>(base.endTokens());
        if (tokenizer != null) {
            tokenizer.specialTokens().id(TokenRole.EOS).ifPresent(ids::add);
        }
        return ids;
    }

    private void check(int row, int[] prompt) {
        if (prompt.length == 0) {
            throw new InputException("prompt " + row + " has no tokens, expected at least one");
        }
        for (int id : prompt) {
            if (id < 0 || id >= base.backbone().vocabSize()) {
                throw new InputException("prompt " + row + " has the token id " + id + ", " + base.name()
                        + " knows those from 0 to " + (base.backbone().vocabSize() - 1));
            }
        }
        requireLength(row, prompt.length, 0);
    }

    private void requireLength(int row, int tokens, long virtual) {
        int longest = base.backbone().maxPositions();
        if (tokens + virtual > longest) {
            throw new InputException("prompt " + row + " has " + tokens + " tokens"
                    + (virtual == 0 ? "" : " behind " + virtual + " virtual ones") + ", " + base.name()
                    + " can take " + longest);
        }
    }

    private void requirePlace(List<Continuation> texts, KvCache cache) {
        for (Continuation continuation : texts) {
            requireLength(continuation.row, continuation.prompt.length, cache.virtualPositions());
        }
    }

    /** Runs what the cache lacks of the texts through the model; gives the logits of the next token of each row. */
    private float[][] prefill(List<int[]> texts, Hooks hooks, KvCache cache) {
        int width = longest(texts);
        int kept = (int) (cache.length() - cache.virtualPositions());
        cache.longestText(width + cache.virtualPositions());
        long[][] ids = new long[texts.size()][width];
        long[][] mask = new long[texts.size()][width];
        for (int row = 0; row < ids.length; row++) {
            int[] text = texts.get(row);
            for (int i = 0; i < text.length; i++) {
                ids[row][width - text.length + i] = text[i];
                mask[row][width - text.length + i] = 1;
            }
        }
        float[][] logits = {};
        for (int start = kept; start < width; start += PART) {
            int end = Math.min(width, start + PART);
            try (Scope scope = new Scope()) {
                Tensor part = Tensors.of(mask).narrow(1, start, end - start);
                ForwardPass pass = ForwardPass.cached(hooks, cache);
                HiddenStates hidden = base.forward(
                        new Inputs(Tensors.of(ids).narrow(1, start, end - start), part, null, cache.positions(part)),
                        pass);
                if (end == width) {
                    logits = lastLogits(hidden, pass);
                }
            }
        }
        return logits;
    }

    /** Prompts for an encoder, padded on the right. */
    private static Inputs source(List<int[]> prompts) {
        int width = longest(prompts);
        long[][] ids = new long[prompts.size()][width];
        long[][] mask = new long[prompts.size()][width];
        for (int row = 0; row < ids.length; row++) {
            int[] prompt = prompts.get(row);
            for (int i = 0; i < prompt.length; i++) {
                ids[row][i] = prompt[i];
                mask[row][i] = 1;
            }
        }
        return Inputs.of(Tensors.of(ids), Tensors.of(mask));
    }

    /** Reads what is to be answered; gives the logits of the first token of each answer behind its start. */
    private float[][] encode(Inputs source, List<int[]> starts, Hooks hooks, KvCache cache) {
        try (Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.cached(hooks, cache);
            long[][] ids = starts.stream()
                    .map(start -> Arrays.stream(start).asLongStream().toArray())
                    .toArray(long[][]::new);
            return lastLogits(base.forward(source.withDecoder(Inputs.of(ids)), pass), pass);
        }
    }

    private int[] step(List<Continuation> active, float[][] logits, KvCache cache) {
        List<Integer> going = new ArrayList<>();
        for (int i = 0; i < active.size(); i++) {
            Continuation continuation = active.get(i);
            continuation.step(logits[i], places(continuation, cache));
            if (continuation.isRunning()) {
                going.add(i);
            }
        }
        return going.stream().mapToInt(Integer::intValue).toArray();
    }

    /**
     * Returns the number of tokens that the model can generate after a prompt. The last one is never an input, so it
     * needs no position of its own.
     */
    private int places(Continuation continuation, KvCache cache) {
        long places = base.backbone().maxPositions() - cache.virtualPositions() - continuation.prompt.length + 1;
        return (int) Math.min(Integer.MAX_VALUE, places);
    }

    private float[][] decode(List<int[]> texts, Hooks hooks, KvCache cache) {
        cache.longestText(longest(texts) + cache.virtualPositions());
        try (Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.cached(hooks, cache);
            long[] last =
                    texts.stream().mapToLong(text -> text[text.length - 1]).toArray();
            Inputs next = Inputs.of(Tensors.of(last, last.length, 1), Tensors.ones(ScalarType.Long, last.length, 1));
            Inputs in = isEncoderDecoder
                    ? next.withDecoder(next)
                    : new Inputs(next.ids(), next.mask(), null, cache.positions(next.mask()));
            return lastLogits(base.forward(in, pass), pass);
        }
    }

    /** Returns the logits after the last position of each row of a pass, {@code [batch][vocab]}. */
    public float[][] lastLogits(HiddenStates hidden, ForwardPass pass) {
        Tensor last = hidden.last();
        Tensor end = last.narrow(1, last.size(1) - 1, 1);
        Tensor logits = base.logits(new HiddenStates(end, hidden.mask(), 0, List.of()), pass);
        Tensor wide = FusedOps.cast(logits, ScalarType.Float);
        float[][] rows = new float[(int) last.size(0)][];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = Tensors.floats(wide.select(0, row));
        }
        return rows;
    }
}
