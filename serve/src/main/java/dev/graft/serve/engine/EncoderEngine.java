package dev.graft.serve.engine;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.serve.EncodeListener;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.EngineObserver;
import dev.graft.serve.InferenceEngine;
import dev.graft.serve.RejectedException;
import dev.graft.serve.RequestHandle;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Encodes texts on one base, with those of several requests and adapters in one forward pass. The output for a text depends on the base's
 * head. Without a classifier it is the pooled hidden states, {@code [hidden]}; of a sequence classifier the logits, {@code [labels]}; of a
 * token classifier the logits of all tokens, {@code [tokens · labels]}.
 *
 * <p>An output is bit-identical whatever texts share its pass. Products for a row depend neither on the other rows nor on their number
 * ({@link Base#isBatchInvariant}; fp32 needs {@link Base#pack}). Attention is computed text by text, or over rows whose shape depends on a
 * text's length alone. Where the base isn't batch-invariant, and where an adapter depends on the whole text, a text has a pass of its own.
 *
 * <pre>{@code
 * base.pack();
 * try (EncoderEngine engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT)) {
 *     engine.submit(EncodeRequest.of(texts, ServedModel.base("minilm")), listener);
 * }
 * }</pre>
 */
public final class EncoderEngine implements InferenceEngine {
    private static final Logger LOG = LoggerFactory.getLogger(EncoderEngine.class);

    /** Tokens of a text up to which a second core gains little beside another text. */
    private static final int SINGLE_CORE_TOKENS = 32;

    /** The minimum number of texts in a pass where more are waiting. */
    private static final int MIN_BATCH_TEXTS = 8;

    /** The divisor of the last pass's time: the engine waits that fraction of it for more texts. */
    private static final int WAIT_DIVISOR = 16;

    private final Base base;
    private final Options options;
    private final EngineObserver observer;
    private final FairQueue<EncodeJob> queue;
    private final List<EncodeJob> reading = new ArrayList<>();
    private final CorePool corePool = new CorePool("graft-encoder");
    private final int maxBatchTexts;
    private final List<EncodeBatcher> batchers = new ArrayList<>();

    private final Thread thread;

    /** The number of requests with a text in the last pass; {@code lastNanos} is its time. Used by the engine's thread only. */
    private int lastRequests;

    private long lastNanos;

    /**
     * Capacity of the engine.
     *
     * @param maxWaiting the maximum number of waiting texts
     * @param maxBatchTexts the maximum number of texts in a pass
     * @param maxBatchTokens the maximum number of tokens in a pass of several texts, padding included, and of the texts taken from the
     *     queue at once
     */
    @RecordBuilder
    public record Options(int maxWaiting, int maxBatchTexts, int maxBatchTokens)
            implements EncoderEngineOptionsBuilder.With {
        /** 4096 waiting texts, passes of 32 texts and 1024 tokens. */
        public static final Options DEFAULT = new Options(4096, 32, 1024);

        /** @throws InputException if a value is out of its range */
        public Options {
            if (maxWaiting < 1 || maxBatchTexts < 1 || maxBatchTokens < 1) {
                throw new InputException("queue is " + maxWaiting + ", rows " + maxBatchTexts + " and tokens "
                        + maxBatchTokens + ", expected at least 1 each");
            }
        }
    }

    /** Creates an engine without an observer. */
    public EncoderEngine(Base base, Options options) {
        this(base, options, EngineObserver.NONE);
    }

    /**
     * Creates an engine with an observer.
     *
     * @throws InputException if the base's head generates texts
     */
    public EncoderEngine(Base base, Options options, EngineObserver observer) {
        if (EncodeKind.of(base.task()).isEmpty()) {
            throw new InputException(base.name() + " is loaded for " + base.task()
                    + ", whose texts aren't read whole; --task chooses feature_extraction, seq_cls or token_cls, or"
                    + " causal_lm to write texts");
        }
        this.base = base;
        this.options = options;
        this.observer = observer;
        this.queue = new FairQueue<>(options.maxWaiting);
        this.maxBatchTexts = Math.max(
                Math.min(MIN_BATCH_TEXTS, options.maxBatchTexts),
                (options.maxBatchTexts + corePool.count() - 1) / corePool.count());
        for (int i = 0; i < corePool.count(); i++) {
            batchers.add(new EncodeBatcher(base, maxBatchTexts, observer));
        }
        this.thread = new Thread(this::run, "graft-encoder");
        thread.setDaemon(true);
        thread.start();
    }

    /** Returns the maximum number of texts in a request. */
    public int maxTexts() {
        return options.maxWaiting;
    }

    /**
     * Queues the texts of a request, all or none.
     *
     * @throws InputException if there is no text, or one is empty or longer than the model's maximum
     * @throws RejectedException if the queue is full or the engine is stopping
     */
    public RequestHandle submit(EncodeRequest request, EncodeListener listener) {
        int longest = base.backbone().maxPositions();
        if (request.texts().isEmpty() || request.texts().size() > options.maxWaiting) {
            throw new InputException(
                    "there are " + request.texts().size() + " texts, expected 1 to " + options.maxWaiting + " at once");
        }
        for (int i = 0; i < request.texts().size(); i++) {
            int length = request.texts().get(i).length();
            if (length == 0 || length > longest) {
                throw new InputException(
                        "text " + i + " has " + length + " tokens, " + base.name() + " takes from 1 to " + longest);
            }
        }
        EncodeJob.RequestState state = new EncodeJob.RequestState(request, listener);
        queue.offer(EncodeJob.of(state, base), EncodeJob::tenant, () -> 0);
        return state.handle;
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
            return reading.size();
        }
    }

    private void run() {
        try {
            corePool.start();
            boolean steady = corePool.count() > 1
                    && base.isBatchInvariant()
                    && BatchInvariance.holdsOnAnyCores(base, 4, 16, 32, 128);
            while (admit()) {
                long start = System.nanoTime();
                List<EncodeJob> texts = reading.stream()
                        .filter(job -> job.width() <= SINGLE_CORE_TOKENS || steady && !job.isAlone())
                        .toList();
                if (!texts.isEmpty()) {
                    encodeOnCores(texts, steady);
                }
                // What is left of them; on all cores.
                EncodeJob.batches(reading, maxBatchTexts, options.maxBatchTokens)
                        .forEach(batch -> encode(batch, batchers.get(0)));
                lastNanos = System.nanoTime() - start;
            }
        } catch (RuntimeException | Error broken) {
            LOG.error("the engine stopped", broken);
            failAll(new IllegalStateException("the engine stopped: " + broken.getMessage(), broken));
        }
        corePool.close();
        batchers.forEach(EncodeBatcher::close);
    }

    /**
     * Reads texts by passes on single cores, several at once. Where how many cores work on a product might show in its last bits, a text's
     * length alone says whether it is read so.
     *
     * @param steady whether it doesn't show: then a pass without company has all cores
     */
    private void encodeOnCores(List<EncodeJob> texts, boolean steady) {
        boolean oneRow = texts.get(0).batching() == EncodeJob.Batching.PACKED
                && EncodeJob.batches(texts, maxBatchTexts, options.maxBatchTokens)
                                .size()
                        == 1;
        int parts = steady && oneRow ? 1 : corePool.count();
        int share = Math.min(options.maxBatchTokens, (EncodeJob.totalTokens(texts) + parts - 1) / parts);
        // The longest first, so that the cores finish at about the same time.
        Queue<List<EncodeJob>> remaining =
                new ConcurrentLinkedQueue<>(EncodeJob.batches(texts, maxBatchTexts, share).stream()
                        .sorted(Comparator.comparingInt(batch -> -EncodeJob.totalTokens(batch)))
                        .toList());
        if (remaining.size() == 1 && steady && !texts.get(0).isAlone()) {
            encode(remaining.remove(), batchers.get(0));
            return;
        }
        corePool.run(core -> {
            for (List<EncodeJob> batch = remaining.poll(); batch != null; batch = remaining.poll()) {
                encode(batch, batchers.get(core));
            }
        });
    }

    /** Waits for texts and takes those whose turn it is; false when there will be none. */
    private boolean admit() {
        synchronized (queue) {
            if (!queue.await(() -> true)) {
                return false;
            }
            // Who was answered last may well ask again.
            queue.awaitMore(lastRequests, lastNanos / WAIT_DIVISOR);
            Set<EncodeJob.RequestState> requests = new HashSet<>();
            int tokens = 0;
            for (EncodeJob job = queue.poll();
                    job != null;
                    job = tokens < options.maxBatchTokens ? queue.poll() : null) {
                if (job.state().isAborted()) {
                    release(job);
                    continue;
                }
                reading.add(job);
                requests.add(job.state());
                tokens += job.width();
                queue.charge(job.tenant(), job.width());
                observer.onStart(job.state().request.model(), System.nanoTime() - job.state().submittedAt);
            }
            lastRequests = requests.size();
            return true;
        }
    }

    private void release(EncodeJob job) {
        synchronized (queue) {
            reading.remove(job);
            queue.release(job.tenant());
            job.state().completeOne();
        }
    }

    private void failAll(RuntimeException why) {
        synchronized (queue) {
            queue.stop();
            List<EncodeJob> left = new ArrayList<>(reading);
            for (EncodeJob job = queue.poll(); job != null; job = queue.poll()) {
                left.add(job);
            }
            left.forEach(job -> job.state().fail(why));
            left.forEach(this::release);
        }
    }

    private void encode(List<EncodeJob> batch, EncodeBatcher batcher) {
        List<EncodeJob> wanted =
                batch.stream().filter(job -> !job.state().isAborted()).toList();
        try {
            if (!wanted.isEmpty()) {
                batcher.encode(wanted);
            }
        } catch (RuntimeException failure) {
            if (wanted.size() > 1) {
                LOG.error("a pass of {} texts failed; each is tried alone", wanted.size(), failure);
            }
            wanted.forEach(job -> retryAlone(job, failure, wanted.size() > 1 ? batcher : null));
        }
        batch.forEach(this::release);
    }

    /**
     * After a pass that failed.
     *
     * @param again what reads it once more, unless it had no company
     */
    private void retryAlone(EncodeJob job, RuntimeException failure, @Nullable EncodeBatcher again) {
        RuntimeException why = failure;
        if (again != null) {
            try {
                again.encode(List.of(job));
                return;
            } catch (RuntimeException own) {
                why = own;
            }
        }
        LOG.error("a text of the adapter {} failed", job.state().request.model().name(), why);
        job.state().fail(why);
    }

    @Override
    public boolean drain(long most) {
        return queue.drain(thread, most);
    }

    @Override
    public void close() {
        synchronized (queue) {
            queue.stop();
            reading.forEach(job -> job.state().fail(RejectedException.stopping()));
            for (EncodeJob job = queue.poll(); job != null; job = queue.poll()) {
                job.state().fail(RejectedException.stopping());
                release(job);
            }
        }
        drain(0);
    }
}
