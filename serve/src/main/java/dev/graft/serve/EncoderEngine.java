package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
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
 * Reads many texts whole over one base, those of several requests and adapters in one pass. What it answers for a text: of a base without a
 * head that labels, the mean of its hidden states, of length 1, {@code [hidden]}; of one that labels texts, their logits {@code [labels]}; of one that
 * labels tokens, theirs, {@code [tokens · labels]}.
 *
 * <p>An answer is the same to the last bit whatever its neighbours are: what a product gives for a row depends neither on the other rows nor on their number ({@link
 * Base#rowsAreSteady}: in fp32 that takes {@link Base#pack}), and attention goes text by text, or over rows whose shape depends on a text's length alone.
 * Where that doesn't hold, and where an adapter looks at a text as a whole, a text has a pass of its own.
 *
 * <pre>{@code
 * base.pack();
 * try (EncoderEngine engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT)) {
 *     engine.submit(EncoderAsk.of(texts, Served.base("minilm")), listener);
 * }
 * }</pre>
 */
public final class EncoderEngine implements Worker {
    private static final Logger LOG = LoggerFactory.getLogger(EncoderEngine.class);

    private static final Set<Task> TASKS =
            Set.of(Task.FEATURE_EXTRACTION, Task.MASKED_LM, Task.SEQ_CLS, Task.TOKEN_CLS);

    /** Tokens of a text up to which a second core gains little beside another text. */
    private static final int SHORT = 32;

    /** The least texts that a pass takes where there are more. */
    private static final int FEW = 8;

    /** Which part of the time that texts took is waited for others. */
    private static final int WAITED = 16;

    private final Base base;
    private final Options options;
    private final Engine.Observer observer;
    private final FairQueue<WholeText> queue;
    private final List<WholeText> reading = new ArrayList<>();
    private final Cores cores = new Cores("graft-encoder");
    private final int rows;
    private final List<WholePasses> passes = new ArrayList<>();

    private final Thread thread;

    /** How many requests had a text among those read last, and how many nanoseconds that took. Used by the engine's thread. */
    private int asking;

    private long took;

    /**
     * How much is done at once.
     *
     * @param queue how many texts may wait
     * @param rows the most texts of a pass
     * @param tokens the most tokens of a pass of several texts, padding included, and of what is taken from the queue at once
     */
    public record Options(int queue, int rows, int tokens) {
        /** 4096 texts waiting, passes of 32 texts and 1024 tokens. */
        public static final Options DEFAULT = new Options(4096, 32, 1024);

        /** @throws InputException if a value is out of its range */
        public Options {
            if (queue < 1 || rows < 1 || tokens < 1) {
                throw new InputException("queue is " + queue + ", rows " + rows + " and tokens " + tokens
                        + ", expected at least 1 each");
            }
        }

        public Options withQueue(int newQueue) {
            return new Options(newQueue, rows, tokens);
        }
    }

    /** An engine that hears of nobody. */
    public EncoderEngine(Base base, Options options) {
        this(base, options, Engine.Observer.NONE);
    }

    /** @throws InputException if the model doesn't read whole texts */
    public EncoderEngine(Base base, Options options, Engine.Observer observer) {
        if (!TASKS.contains(base.task())) {
            throw new InputException(base.name() + " is loaded for " + base.task()
                    + ", whose texts aren't read whole; --task chooses feature_extraction, seq_cls or token_cls, or causal_lm to"
                    + " write texts");
        }
        this.base = base;
        this.options = options;
        this.observer = observer;
        this.queue = new FairQueue<>(options.queue);
        this.rows = Math.max(Math.min(FEW, options.rows), (options.rows + cores.count() - 1) / cores.count());
        for (int i = 0; i < cores.count(); i++) {
            passes.add(new WholePasses(base, rows, observer));
        }
        this.thread = new Thread(this::run, "graft-encoder");
        thread.setDaemon(true);
        thread.start();
    }

    /** The most texts of a request. */
    public int most() {
        return options.queue;
    }

    /**
     * Queues the texts of a request, all or none.
     *
     * @throws InputException if there is none, or one is empty or longer than the model can take
     * @throws Refused if too many wait, or the engine stops
     */
    public Ticket submit(EncoderAsk ask, EncoderListener listener) {
        int longest = base.backbone().maxPositions();
        if (ask.texts().isEmpty() || ask.texts().size() > options.queue) {
            throw new InputException(
                    "there are " + ask.texts().size() + " texts, expected 1 to " + options.queue + " at once");
        }
        for (int i = 0; i < ask.texts().size(); i++) {
            int length = ask.texts().get(i).length();
            if (length == 0 || length > longest) {
                throw new InputException(
                        "text " + i + " has " + length + " tokens, " + base.name() + " takes from 1 to " + longest);
            }
        }
        WholeText.Request request = new WholeText.Request(ask, listener);
        queue.offer(WholeText.of(request, base), WholeText::tenant, () -> 0);
        return request.ticket;
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
            cores.begin();
            boolean steady =
                    cores.count() > 1 && base.rowsAreSteady() && SteadyProducts.onAnyCores(base, 4, 16, 32, 128);
            while (admit()) {
                long start = System.nanoTime();
                List<WholeText> texts = reading.stream()
                        .filter(text -> text.width() <= SHORT || steady && !text.alone())
                        .toList();
                if (!texts.isEmpty()) {
                    readOnCores(texts, steady);
                }
                // What is left of them; on all cores.
                WholeText.batches(reading, rows, options.tokens).forEach(batch -> read(batch, passes.get(0)));
                took = System.nanoTime() - start;
            }
        } catch (RuntimeException | Error broken) {
            LOG.error("the engine stopped", broken);
            giveUp(new IllegalStateException("the engine stopped: " + broken.getMessage(), broken));
        }
        cores.close();
        passes.forEach(WholePasses::close);
    }

    /**
     * Reads texts by passes on single cores, several at once. Where how many cores work on a product might show in its last bits, a text's
     * length alone says whether it is read so.
     *
     * @param steady whether it doesn't show: then a pass without company has all cores
     */
    private void readOnCores(List<WholeText> texts, boolean steady) {
        boolean oneRow = texts.get(0).kind() == WholeText.Kind.ONE_ROW
                && WholeText.batches(texts, rows, options.tokens).size() == 1;
        int parts = steady && oneRow ? 1 : cores.count();
        int share = Math.min(options.tokens, (WholeText.tokens(texts) + parts - 1) / parts);
        // The longest first, so that the cores finish at about the same time.
        Queue<List<WholeText>> left = new ConcurrentLinkedQueue<>(WholeText.batches(texts, rows, share).stream()
                .sorted(Comparator.comparingInt(batch -> -WholeText.tokens(batch)))
                .toList());
        if (left.size() == 1 && steady && !texts.get(0).alone()) {
            read(left.remove(), passes.get(0));
            return;
        }
        cores.run(core -> {
            for (List<WholeText> batch = left.poll(); batch != null; batch = left.poll()) {
                read(batch, passes.get(core));
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
            queue.gather(asking, took / WAITED);
            Set<WholeText.Request> requests = new HashSet<>();
            int tokens = 0;
            for (WholeText text = queue.poll(); text != null; text = tokens < options.tokens ? queue.poll() : null) {
                if (text.request().isGone()) {
                    leave(text);
                    continue;
                }
                reading.add(text);
                requests.add(text.request());
                tokens += text.width();
                queue.charge(text.tenant(), text.width());
                observer.began(text.request().ask.adapter(), System.nanoTime() - text.request().asked);
            }
            asking = requests.size();
            return true;
        }
    }

    private void leave(WholeText text) {
        synchronized (queue) {
            reading.remove(text);
            queue.done(text.tenant());
            text.request().left();
        }
    }

    private void giveUp(RuntimeException why) {
        synchronized (queue) {
            queue.stop();
            List<WholeText> left = new ArrayList<>(reading);
            for (WholeText text = queue.poll(); text != null; text = queue.poll()) {
                left.add(text);
            }
            left.forEach(text -> text.request().fail(why));
            left.forEach(this::leave);
        }
    }

    private void read(List<WholeText> batch, WholePasses own) {
        List<WholeText> wanted =
                batch.stream().filter(text -> !text.request().isGone()).toList();
        try {
            if (!wanted.isEmpty()) {
                own.read(wanted);
            }
        } catch (RuntimeException failure) {
            if (wanted.size() > 1) {
                LOG.error("a pass of {} texts failed; each is tried alone", wanted.size(), failure);
            }
            wanted.forEach(text -> alone(text, failure, wanted.size() > 1 ? own : null));
        }
        batch.forEach(this::leave);
    }

    /**
     * After a pass that failed.
     *
     * @param again what reads it once more, unless it had no company
     */
    private void alone(WholeText text, RuntimeException failure, @Nullable WholePasses again) {
        RuntimeException why = failure;
        if (again != null) {
            try {
                again.read(List.of(text));
                return;
            } catch (RuntimeException own) {
                why = own;
            }
        }
        LOG.error(
                "a text of the adapter {} failed", text.request().ask.adapter().name(), why);
        text.request().fail(why);
    }

    @Override
    public boolean drain(long most) {
        return queue.drain(thread, most);
    }

    @Override
    public void close() {
        synchronized (queue) {
            queue.stop();
            reading.forEach(text -> text.request().fail(Refused.stopping()));
            for (WholeText text = queue.poll(); text != null; text = queue.poll()) {
                text.request().fail(Refused.stopping());
                leave(text);
            }
        }
        drain(0);
    }
}
