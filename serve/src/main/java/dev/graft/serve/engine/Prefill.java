package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.ModelHooks;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.AdapterBatch;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.tensor.BackgroundThread;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Runs chunks of prompts through the base. Chunks of neighbouring rows in a tile share a pass if all their adapters are low-rank updates
 * and products are batch-invariant ({@link Base#isBatchInvariant}, {@link BatchInvariance}). Used by one thread.
 */
final class Prefill implements AutoCloseable {
    /** Tokens of each text from which on texts go together: small products go other ways. */
    private static final int MIN_TOKENS = 32;

    private final Base base;
    private final List<AdapterBatch> adapterBatches;
    private final int chunkSize;
    private final PromptCache cache;
    private final boolean batchInvariant;

    /**
     * Passes of a base.
     *
     * @param tiles the slots of all places
     * @param size the most tokens of a chunk
     * @param kept the most bytes of keys and values that are kept for other prompts
     */
    Prefill(Base base, List<AdapterBatch> tiles, int size, long kept) {
        this.base = base;
        this.adapterBatches = tiles;
        this.chunkSize = size;
        this.cache = new PromptCache(size, kept);
        this.batchInvariant = size >= MIN_TOKENS
                && base.isBatchInvariant()
                && BackgroundThread.run(() -> BatchInvariance.holds(base, MIN_TOKENS, size, Decode.TILE));
    }

    /**
     * A part of a prompt that one pass reads.
     *
     * @param place of the row
     * @param end the position after its last token
     * @param batchable true if other chunks may share the pass
     * @param hooks of a pass of the row alone
     */
    record Chunk(int place, Sequence sequence, int end, boolean batchable, Hooks hooks) {
        int length() {
            return end - sequence.prefilled;
        }

        /** Returns whether the prompt ends with this chunk. */
        boolean isLast() {
            return end == sequence.request.prompt().length;
        }
    }

    /** The hidden states of chunks, and the pass that computed them. */
    record Output(HiddenStates hidden, ForwardPass pass) {}

    /** Returns the next chunk of a prompt, after the part found in the cache. */
    Chunk nextChunk(int place, Sequence sequence) {
        int[] prompt = sequence.request.prompt();
        ServedModel model = sequence.request.model();
        ModelHooks.requireFit(model.selection().hooks(), base.backbone());
        if (sequence.prefilled == 0 && sequence.chunked && !sequence.request.promptLogprobs()) {
            sequence.prefilled = cache.load(model.revision(), prompt, sequence.cache());
            sequence.cachedTokens = sequence.prefilled;
        }
        boolean together = adapterBatch(place).assignLowRank(slot(place), model.selection());
        Hooks hooks = together
                ? adapterBatch(place).hooks(slot(place), 1)
                : model.selection().hooks();
        int end = sequence.chunked ? Math.min(prompt.length, sequence.prefilled + chunkSize) : prompt.length;
        return new Chunk(
                place,
                sequence,
                end,
                together && sequence.chunked && batchInvariant && !sequence.request.promptLogprobs(),
                hooks);
    }

    /**
     * Returns whether a pass may read one more chunk. It must be the chunk of the next place, and not one that the cache will contain
     * once the others are read.
     */
    boolean canBatch(List<Chunk> chunks, Chunk more) {
        if (chunks.isEmpty()) {
            return true;
        }
        Chunk last = chunks.get(chunks.size() - 1);
        return last.batchable
                && more.batchable
                && more.place == last.place + 1
                && slot(more.place) > 0
                && more.length() == last.length()
                && more.length() >= MIN_TOKENS
                && chunks.stream().noneMatch(chunk -> isPrefixOf(chunk, more));
    }

    private boolean isPrefixOf(Chunk chunk, Chunk more) {
        int end = chunk.end;
        return end % chunkSize == 0
                && more.sequence.prefilled == 0
                && more.sequence.request.prompt().length > end
                && more.sequence.request.model().revision()
                        == chunk.sequence.request.model().revision()
                && Arrays.equals(chunk.sequence.request.prompt(), 0, end, more.sequence.request.prompt(), 0, end);
    }

    /** Reads chunks in one pass. */
    Output run(List<Chunk> chunks) {
        Chunk first = chunks.get(0);
        int count = chunks.size();
        long[] ids = chunks.stream()
                .flatMapToInt(
                        chunk -> Arrays.stream(chunk.sequence.request.prompt(), chunk.sequence.prefilled, chunk.end))
                .asLongStream()
                .toArray();
        Tensor mask = Tensors.ones(ScalarType.Long, count, first.length());
        List<ForwardPass> passes = chunks.stream()
                .map(chunk -> ForwardPass.cached(chunk.hooks, chunk.sequence.cache()))
                .toList();
        ForwardPass pass = count == 1
                ? passes.get(0)
                : ForwardPass.ragged(adapterBatch(first.place).hooks(slot(first.place), count), passes);
        return new Output(base.forward(Inputs.of(Tensors.of(ids, count, first.length()), mask), pass), pass);
    }

    /** The tokens of the prompt behind those of a chunk that was read alone, with their probabilities; before them the first one of all. */
    List<TokenLogprob> promptTokens(Chunk chunk, Output output) {
        int[] prompt = chunk.sequence.request.prompt();
        int likeliest = chunk.sequence.request.logprobs();
        List<TokenLogprob> tokens = new ArrayList<>();
        if (chunk.sequence.prefilled == 0) {
            tokens.add(TokenLogprob.of(prompt[0]));
        }
        Tensor last = output.hidden.last().narrow(1, output.hidden.last().size(1) - chunk.length(), chunk.length());
        int end = Math.min(chunk.end, prompt.length - 1);
        for (int from = chunk.sequence.prefilled; from < end; from += chunkSize) {
            try (Scope scope = new Scope()) {
                int count = Math.min(chunkSize, end - from);
                Tensor some = last.narrow(1, from - chunk.sequence.prefilled, count);
                Tensor logits = base.logits(new HiddenStates(some, output.hidden.mask(), 0, List.of()), output.pass);
                for (int i = 0; i < count; i++) {
                    tokens.add(TokenLogprob.of(prompt[from + i + 1], Tensors.floats(logits.select(1, i)), likeliest));
                }
            }
        }
        return tokens;
    }

    /** Marks a chunk as read, and stores its keys and values in the cache. */
    void finish(Chunk chunk) {
        Sequence sequence = chunk.sequence;
        sequence.prefilled = chunk.end;
        if (sequence.chunked) {
            cache.store(sequence.request.model().revision(), sequence.request.prompt(), chunk.end, sequence.cache());
        }
    }

    private AdapterBatch adapterBatch(int place) {
        return adapterBatches.get(place / Decode.TILE);
    }

    private static int slot(int place) {
        return place % Decode.TILE;
    }

    @Override
    public void close() {
        cache.close();
    }
}
