package dev.graft.serve.engine;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.cache.BatchedKvCache;
import dev.graft.models.generate.Continuation;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.AdapterBatch;
import dev.graft.serve.EngineObserver;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.InferenceEngine;
import dev.graft.serve.LogitsProcessor;
import dev.graft.serve.RejectedException;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.engine.Prefill.Chunk;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Scope;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Generates many texts on one base at once, each with its own adapter, by continuous batching (Yu et al., Orca, OSDI 2022). Texts join and
 * leave between two steps; prompts are read in chunks, a few between two steps.
 *
 * <p>A text is bit-identical whatever other texts run beside it. Prompts share a pass only if products are batch-invariant
 * ({@link Prefill}). Decoding uses passes of a fixed number of rows, some of which may be idle. Each matrix product therefore has the same
 * shape at any load, and the result for a row depends neither on the other rows nor on its place. Attention sees the positions of its own
 * row alone. A text whose pass fails ends with that failure; the others continue.
 *
 * <pre>{@code
 * try (Engine engine = new Engine(base, tokenizer, Engine.Options.DEFAULT)) {
 *     engine.submit(GenerationRequest.of(ids, GenerateOptions.DEFAULT, ServedModel.base("smollm2")), listener);
 * }
 * }</pre>
 */
public final class Engine implements InferenceEngine {
    private static final int TILE = Decode.TILE;
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

    private final Base base;
    private final Generator generator;
    private final Options options;
    private final FairQueue<Sequence> queue;
    private final @Nullable Sequence[] sequences;
    private final List<AdapterBatch> adapterBatches = new ArrayList<>();
    private final List<BatchedKvCache> tiles = new ArrayList<>();
    private final Prefill prefill;
    private final Decode decode;
    private final EngineObserver observer;
    private final Thread thread;

    /**
     * Capacity of the engine.
     *
     * @param maxSequences the maximum number of running texts, a multiple of 8
     * @param maxWaiting the maximum number of waiting texts
     * @param prefillChunk the maximum number of prompt tokens read in one pass
     * @param promptCacheBytes the maximum size of the prompt cache in bytes
     */
    @RecordBuilder
    public record Options(int maxSequences, int maxWaiting, int prefillChunk, long promptCacheBytes)
            implements EngineOptionsBuilder.With {
        /** 16 running and 256 waiting texts. */
        public static final Options DEFAULT = new Options(16, 256, 128, 512L << 20);

        /** @throws InputException if a value is out of its range */
        public Options {
            if (maxSequences < TILE || maxSequences % TILE != 0) {
                throw new InputException("rows is " + maxSequences + ", expected a multiple of " + TILE);
            }
            if (maxWaiting < 1 || prefillChunk < 1 || promptCacheBytes < 0) {
                throw new InputException("queue is " + maxWaiting + ", chunk " + prefillChunk + " and prompt_cache "
                        + promptCacheBytes + ", expected at least 1, 1 and 0");
            }
        }
    }

    /** Creates an engine without an observer. */
    public Engine(Base base, @Nullable Tokenizer tokenizer, Options options) {
        this(base, tokenizer, options, EngineObserver.NONE);
    }

    /** @throws InputException if the base has no language modelling head */
    public Engine(Base base, @Nullable Tokenizer tokenizer, Options options, EngineObserver observer) {
        this.base = base;
        this.generator = new Generator(base, tokenizer);
        this.options = options;
        this.observer = observer;
        this.decode = new Decode(base, generator);
        this.queue = new FairQueue<>(options.maxWaiting);
        this.sequences = new Sequence[options.maxSequences];
        for (int tile = 0; tile < options.maxSequences / TILE; tile++) {
            adapterBatches.add(new AdapterBatch(TILE));
            tiles.add(new BatchedKvCache(TILE));
        }
        this.prefill = new Prefill(base, adapterBatches, options.prefillChunk, options.promptCacheBytes);
        this.thread = new Thread(this::run, "graft-engine");
        thread.setDaemon(true);
        thread.start();
    }

    /** Returns the maximum length of a text in tokens, prompt included. */
    public int maxLength() {
        return base.backbone().maxStablePositions();
    }

    /** Returns the tokens that end a text by default. */
    public Set<Integer> endTokens() {
        return generator.endTokens(GenerateOptions.DEFAULT);
    }

    /**
     * Queues a text.
     *
     * @throws InputException if the model can't process the prompt
     * @throws RejectedException if the queue is full or the engine is stopping
     */
    public RequestHandle submit(GenerationRequest request, GenerationListener listener) {
        return submit(List.of(request), List.of(listener)).get(0);
    }

    /**
     * Queues several texts, all or none.
     *
     * @throws InputException if the model can't process a prompt, or there are more texts than the queue and the engine can hold
     * @throws RejectedException if the queue is full or the engine is stopping
     */
    public List<RequestHandle> submit(List<GenerationRequest> requests, List<GenerationListener> listeners) {
        int most = Math.max(options.maxWaiting, sequences.length);
        if (requests.size() > most) {
            throw new InputException("there are " + requests.size() + " texts, at most " + most + " at once are taken");
        }
        List<Sequence> fresh = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            fresh.add(newSequence(requests.get(i), listeners.get(i)));
        }
        queue.offer(fresh, sequence -> sequence.request.tenant(), () -> sequences.length - running());
        return fresh.stream().map(sequence -> sequence.handle).toList();
    }

    private Sequence newSequence(GenerationRequest request, GenerationListener listener) {
        StringBuilder piece = new StringBuilder();
        Continuation continuation = generator.begin(
                request.prompt(), request.options(), request.sampleIndex(), (row, more) -> piece.append(more));
        if (request.prompt().length > maxLength()) {
            throw new InputException("the prompt has " + request.prompt().length + " tokens, " + base.name()
                    + " can take " + maxLength());
        }
        return new Sequence(
                request,
                listener,
                new RequestHandle(request.deadline()),
                continuation,
                piece,
                request.model().isTokenwise(base));
    }

    @Override
    public int waiting() {
        synchronized (queue) {
            return queue.size();
        }
    }

    @Override
    public int running() {
        synchronized (queue) {
            return (int) Arrays.stream(sequences)
                    .filter(sequence -> sequence != null)
                    .count();
        }
    }

    private void run() {
        try (InferenceScope mode = new InferenceScope()) {
            int turn = 0;
            while (admit()) {
                turn = prefill(turn);
                for (int tile = 0; tile < adapterBatches.size(); tile++) {
                    decode(tile);
                }
            }
        } catch (RuntimeException | Error broken) {
            LOG.error("the engine stopped", broken);
            failAll(new IllegalStateException("the engine stopped: " + broken.getMessage(), broken));
        }
        prefill.close();
        adapterBatches.forEach(AdapterBatch::close);
    }

    private void failAll(RuntimeException why) {
        synchronized (queue) {
            queue.stop();
            for (int place = 0; place < sequences.length; place++) {
                Sequence sequence = sequences[place];
                if (sequence != null) {
                    remove(place, listener -> listener.onError(why));
                }
            }
            for (Sequence sequence = queue.poll(); sequence != null; sequence = queue.poll()) {
                sequence.notifyListener(listener -> listener.onError(why));
                release(sequence);
            }
        }
    }

    private void release(Sequence sequence) {
        queue.release(sequence.request.tenant());
        sequence.notifyListener(GenerationListener::onRelease);
    }

    /** Waits for work and lets those who wait in; false when there will be none. */
    private boolean admit() {
        synchronized (queue) {
            for (int place = 0; place < sequences.length; place++) {
                Sequence sequence = sequences[place];
                if (sequence != null && isAborted(sequence)) {
                    remove(place, listener -> {});
                }
            }
            if (!queue.await(() -> running() == 0)) {
                return false;
            }
            int place = freePlace();
            while (place >= 0 && queue.size() > 0) {
                Sequence sequence = queue.poll();
                if (sequence == null || isAborted(sequence)) {
                    if (sequence != null) {
                        release(sequence);
                    }
                    continue;
                }
                sequence.allocate(tiles.get(place / TILE), place % TILE);
                sequences[place] = sequence;
                queue.charge(sequence.request.tenant(), sequence.request.prompt().length);
                observer.onStart(sequence.request.model(), System.nanoTime() - sequence.submittedAt);
                place = freePlace();
            }
            return true;
        }
    }

    private static boolean isAborted(Sequence sequence) {
        if (sequence.handle.isCancelled()) {
            return true;
        }
        if (sequence.handle.isExpired()) {
            sequence.notifyListener(listener -> listener.onError(RejectedException.timeout()));
            return true;
        }
        return false;
    }

    private int freePlace() {
        for (int place = 0; place < sequences.length; place++) {
            if (sequences[place] == null) {
                return place;
            }
        }
        return -1;
    }

    /** Frees a place, then says the last word to who had it. */
    private void remove(int place, Consumer<GenerationListener> lastWord) {
        synchronized (queue) {
            Sequence sequence = sequences[place];
            sequences[place] = null;
            if (sequence != null) {
                sequence.cache().close();
                adapterBatches.get(place / TILE).clear(place % TILE);
                sequence.notifyListener(lastWord);
                release(sequence);
            }
        }
    }

    /**
     * Reads chunks of prompts, one each of the next rows that have some left, from this turn on; returns the turn after them. Where no text is
     * written yet all rows have their chunk, since a pass that writes costs the same for few rows as for all; else until they have as many
     * tokens as one chunk. Neighbours with chunks of one length are read together.
     */
    private int prefill(int turn) {
        boolean writes = Arrays.stream(sequences).anyMatch(sequence -> sequence != null && sequence.isPrefilled());
        int left = writes ? options.prefillChunk : Integer.MAX_VALUE;
        int next = turn;
        List<Chunk> together = new ArrayList<>();
        for (int i = 0; i < sequences.length && left > 0; i++) {
            int place = (turn + i) % sequences.length;
            Sequence sequence = sequences[place];
            if (sequence == null || sequence.isPrefilled() || sequence.handle.isCancelled()) {
                continue;
            }
            left -= sequence.request.prompt().length - sequence.prefilled;
            next = place + 1;
            Chunk chunk = nextChunk(place, sequence);
            if (chunk != null && !prefill.canBatch(together, chunk)) {
                prefill(together);
                together.clear();
                chunk = nextChunk(place, sequence);
            }
            if (chunk != null) {
                together.add(chunk);
            }
        }
        prefill(together);
        return next;
    }

    /** The next chunk of a row's prompt; null where the row has left. */
    private @Nullable Chunk nextChunk(int place, Sequence sequence) {
        try (Scope scope = new Scope()) {
            return prefill.nextChunk(place, sequence);
        } catch (RuntimeException failure) {
            remove(place, listener -> listener.onError(failure));
            return null;
        }
    }

    /** Reads chunks in one pass; where that fails each has one of its own. */
    private void prefill(List<Chunk> chunks) {
        if (chunks.isEmpty()) {
            return;
        }
        chunks.forEach(chunk ->
                chunk.sequence().lengthBeforePass = chunk.sequence().cache().length());
        try (Scope scope = new Scope()) {
            float[][] logits;
            try {
                Prefill.Output output = prefill.run(chunks);
                logits = chunks.stream().anyMatch(Chunk::isLast)
                        ? generator.lastLogits(output.hidden(), output.pass())
                        : new float[chunks.size()][];
                Sequence first = chunks.get(0).sequence();
                if (first.request.promptLogprobs()) {
                    first.promptTokens.addAll(prefill.promptTokens(chunks.get(0), output));
                }
            } catch (RuntimeException failure) {
                recover(chunks, failure);
                return;
            }
            for (int i = 0; i < logits.length; i++) {
                afterPrefill(chunks.get(i), logits[i]);
            }
        }
    }

    private void recover(List<Chunk> chunks, RuntimeException failure) {
        if (chunks.size() == 1) {
            remove(chunks.get(0).place(), listener -> listener.onError(failure));
            return;
        }
        LOG.error("a pass over {} prompts failed; each is tried alone", chunks.size(), failure);
        for (Chunk chunk : chunks) {
            chunk.sequence().cache().truncate(chunk.sequence().lengthBeforePass);
            prefill(List.of(chunk));
        }
    }

    /**
     * After a chunk was read: the first token where it was the last.
     *
     * @param logits behind the chunk
     */
    private void afterPrefill(Chunk chunk, float[] logits) {
        Sequence sequence = chunk.sequence();
        ServedModel model = sequence.request.model();
        try {
            observer.onInputTokens(model, chunk.length());
            prefill.finish(chunk);
            if (sequence.isPrefilled()) {
                if (sequence.request.promptLogprobs()) {
                    sequence.listener.onPromptTokens(sequence.promptTokens);
                }
                adapterBatches.get(chunk.place() / TILE).assign(chunk.place() % TILE, model.selection());
                appendToken(chunk.place(), sequence, logits);
                observer.onFirstToken(model, System.nanoTime() - sequence.submittedAt);
            }
        } catch (RuntimeException failure) {
            remove(chunk.place(), listener -> listener.onError(failure));
        }
    }

    /** Writes a token for each row of a tile whose prompt is read. */
    private void decode(int tile) {
        long start = System.nanoTime();
        int first = tile * TILE;
        Map<Integer, Sequence> writing = new LinkedHashMap<>();
        for (int i = 0; i < TILE; i++) {
            Sequence sequence = sequences[first + i];
            if (sequence != null && sequence.isPrefilled()) {
                sequence.lengthBeforePass = sequence.cache().length();
                writing.put(i, sequence);
            }
        }
        if (writing.isEmpty()) {
            return;
        }
        Map<Integer, float[]> logits = logits(tile, writing);
        writing.forEach((i, sequence) -> {
            float[] own = logits.get(i);
            if (own != null) {
                appendToken(first + i, sequence, own);
            }
        });
        observer.onDecodeStep(logits.size(), System.nanoTime() - start);
    }

    private Map<Integer, float[]> logits(int tile, Map<Integer, Sequence> writing) {
        try {
            return decode.step(adapterBatches.get(tile), writing);
        } catch (RuntimeException failure) {
            LOG.error("a pass of {} texts failed; each is tried alone", writing.size(), failure);
            return decode.stepAlone(
                    writing, (i, again) -> remove(tile * TILE + i, listener -> listener.onError(again)));
        }
    }

    /** Appends the next token to a sequence. */
    private void appendToken(int place, Sequence sequence, float[] logits) {
        GenerationRequest request = sequence.request;
        try {
            float[] plain = request.logprobs() < 0 ? logits : logits.clone();
            LogitsProcessor logitsProcessor = request.logitsProcessor();
            if (logitsProcessor != null) {
                logitsProcessor.process(logits);
            }
            long room = maxLength() - sequence.cache().virtualPositions() - request.prompt().length + 1;
            if (room < 1) {
                throw new InputException("the prompt has " + request.prompt().length + " tokens behind "
                        + sequence.cache().virtualPositions() + " virtual ones, " + base.name() + " can take "
                        + maxLength());
            }
            sequence.continuation.step(logits, (int) Math.min(Integer.MAX_VALUE, room));
            int id = sequence.continuation.lastId();
            if (logitsProcessor != null) {
                logitsProcessor.onToken(id);
            }
            String piece = sequence.newText.toString();
            sequence.newText.setLength(0);
            if (sequence.handle.isCancelled()) {
                remove(place, listener -> {});
                return;
            }
            if (request.stopCondition() != null && request.stopCondition().test(piece)) {
                sequence.continuation.end();
            }
            sequence.listener.onToken(
                    request.logprobs() < 0 ? TokenLogprob.of(id) : TokenLogprob.of(id, plain, request.logprobs()),
                    piece);
        } catch (RuntimeException failure) {
            remove(place, listener -> listener.onError(failure));
            return;
        }
        synchronized (queue) {
            queue.charge(request.tenant(), 2);
        }
        if (!sequence.continuation.isRunning()) {
            GenerationListener.Result result = new GenerationListener.Result(
                    sequence.continuation.result(), request.prompt().length, sequence.cachedTokens);
            remove(place, listener -> listener.onFinish(result));
        }
    }

    @Override
    public boolean drain(long most) {
        return queue.drain(thread, most);
    }

    @Override
    public void close() {
        synchronized (queue) {
            queue.stop();
            for (Sequence sequence : sequences) {
                if (sequence != null && !sequence.handle.isCancelled()) {
                    sequence.handle.cancel();
                    sequence.notifyListener(listener -> listener.onError(RejectedException.stopping()));
                }
            }
            for (Sequence sequence = queue.poll(); sequence != null; sequence = queue.poll()) {
                sequence.notifyListener(listener -> listener.onError(RejectedException.stopping()));
                release(sequence);
            }
        }
        drain(0);
    }
}
