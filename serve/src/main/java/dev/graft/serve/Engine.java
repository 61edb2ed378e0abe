package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.KvTile;
import dev.graft.models.generate.Continuation;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Slots;
import dev.graft.serve.PromptPasses.Chunk;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Scope;
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
 * Continues many texts over one base at once, each with its own adapter (continuous batching: Yu et al., Orca, OSDI 2022). Between two steps
 * texts come and go; prompts are read in chunks, a few between two steps.
 *
 * <p>An answer is the same to the last bit whatever its neighbours are. Prompts are read together only where no product can tell
 * ({@link PromptPasses}). Tokens are written by
 * passes of a fixed number of rows, a part of which may be idle: so each matrix product has the same shape at any load, and what a product
 * gives for a row depends neither on the other rows nor on its place. In attention a row sees its own positions alone. A text whose pass
 * fails ends with that failure, and its neighbours go on.
 *
 * <pre>{@code
 * try (Engine engine = new Engine(base, tokenizer, Engine.Options.DEFAULT)) {
 *     engine.submit(Ask.of(ids, GenerateOptions.DEFAULT, Served.base("smollm2")), listener);
 * }
 * }</pre>
 */
public final class Engine implements Worker {
    private static final int TILE = TokenPasses.TILE;

    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

    private final Base base;
    private final Generator generator;
    private final Options options;
    private final FairQueue<Row> queue;
    private final @Nullable Row[] rows;
    private final List<Slots> slots = new ArrayList<>();
    private final List<KvTile> tiles = new ArrayList<>();
    private final PromptPasses prompts;
    private final TokenPasses tokens;
    private final Observer observer;
    private final Thread thread;

    /**
     * How much is done at once.
     *
     * @param rows how many texts are written at once, a multiple of 8
     * @param queue how many more may wait
     * @param chunk how many tokens of a prompt a pass reads
     * @param promptCache how many bytes are spent on prompts that were read before
     */
    public record Options(int rows, int queue, int chunk, long promptCache) {
        /** 16 texts at once, 256 waiting. */
        public static final Options DEFAULT = new Options(16, 256, 128, 512L << 20);

        /** @throws InputException if a value is out of its range */
        public Options {
            if (rows < TILE || rows % TILE != 0) {
                throw new InputException("rows is " + rows + ", expected a multiple of " + TILE);
            }
            if (queue < 1 || chunk < 1 || promptCache < 0) {
                throw new InputException("queue is " + queue + ", chunk " + chunk + " and prompt_cache " + promptCache
                        + ", expected at least 1, 1 and 0");
            }
        }
    }

    /** Hears what the engine does, for its figures. Called by the engine's thread. */
    public interface Observer {
        /** Hears nothing. */
        Observer NONE = new Observer() {};

        /** A text has waited in the queue so long and begins. */
        default void began(Served adapter, long waitedNanos) {}

        /** A pass has read so many tokens of a prompt, or of a whole text. */
        default void read(Served adapter, int tokens) {}

        /** A text has its first token, so long after it was asked for. */
        default void first(Served adapter, long nanos) {}

        /** A pass has written a token for each of so many texts. */
        default void wrote(int texts, long nanos) {}
    }

    /** An engine that hears of nobody. */
    public Engine(Base base, @Nullable Tokenizer tokenizer, Options options) {
        this(base, tokenizer, options, Observer.NONE);
    }

    /** @throws InputException if the model predicts no next tokens */
    public Engine(Base base, @Nullable Tokenizer tokenizer, Options options, Observer observer) {
        this.base = base;
        this.generator = new Generator(base, tokenizer);
        this.options = options;
        this.observer = observer;
        this.tokens = new TokenPasses(base, generator);
        this.queue = new FairQueue<>(options.queue);
        this.rows = new Row[options.rows];
        for (int tile = 0; tile < options.rows / TILE; tile++) {
            slots.add(new Slots(TILE));
            tiles.add(new KvTile(TILE));
        }
        this.prompts = new PromptPasses(base, slots, options.chunk, options.promptCache);
        this.thread = new Thread(this::run, "graft-engine");
        thread.setDaemon(true);
        thread.start();
    }

    /** The longest text that it continues, prompt included. */
    public int longest() {
        return base.backbone().steadyPositions();
    }

    /** The tokens that end a text where a request names no others. */
    public Set<Integer> endTokens() {
        return generator.endTokens(GenerateOptions.DEFAULT);
    }

    /**
     * Queues a text.
     *
     * @throws InputException if the prompt can't be continued by this model
     * @throws Refused if too many wait, or the engine stops
     */
    public Ticket submit(Ask ask, Listener listener) {
        return submit(List.of(ask), List.of(listener)).get(0);
    }

    /**
     * Queues several texts, all or none.
     *
     * @throws InputException if a prompt can't be continued by this model, or there are more texts than could ever wait and be written
     * @throws Refused if too many wait, or the engine stops
     */
    public List<Ticket> submit(List<Ask> asks, List<Listener> listeners) {
        int most = Math.max(options.queue, rows.length);
        if (asks.size() > most) {
            throw new InputException("there are " + asks.size() + " texts, at most " + most + " at once are taken");
        }
        List<Row> fresh = new ArrayList<>();
        for (int i = 0; i < asks.size(); i++) {
            fresh.add(row(asks.get(i), listeners.get(i)));
        }
        queue.offer(fresh, row -> row.ask.tenant(), () -> rows.length - running());
        return fresh.stream().map(row -> row.ticket).toList();
    }

    private Row row(Ask ask, Listener listener) {
        StringBuilder piece = new StringBuilder();
        Continuation text = generator.begin(ask.prompt(), ask.options(), ask.copy(), (row, more) -> piece.append(more));
        if (ask.prompt().length > longest()) {
            throw new InputException(
                    "the prompt has " + ask.prompt().length + " tokens, " + base.name() + " can take " + longest());
        }
        return new Row(
                ask,
                listener,
                new Ticket(ask.deadline()),
                text,
                piece,
                ask.adapter().isLocal(base));
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
            return (int) Arrays.stream(rows).filter(row -> row != null).count();
        }
    }

    private void run() {
        try (Inference mode = new Inference()) {
            int turn = 0;
            while (admit()) {
                turn = read(turn);
                for (int tile = 0; tile < slots.size(); tile++) {
                    write(tile);
                }
            }
        } catch (RuntimeException | Error broken) {
            LOG.error("the engine stopped", broken);
            fail(new IllegalStateException("the engine stopped: " + broken.getMessage(), broken));
        }
        prompts.close();
        slots.forEach(Slots::close);
    }

    private void fail(RuntimeException why) {
        synchronized (queue) {
            queue.stop();
            for (int place = 0; place < rows.length; place++) {
                Row row = rows[place];
                if (row != null) {
                    leave(place, listener -> listener.failed(why));
                }
            }
            for (Row row = queue.poll(); row != null; row = queue.poll()) {
                row.say(listener -> listener.failed(why));
                letGo(row);
            }
        }
    }

    private void letGo(Row row) {
        queue.done(row.ask.tenant());
        row.say(Listener::left);
    }

    /** Waits for work and lets those who wait in; false when there will be none. */
    private boolean admit() {
        synchronized (queue) {
            for (int place = 0; place < rows.length; place++) {
                Row row = rows[place];
                if (row != null && isGone(row)) {
                    leave(place, listener -> {});
                }
            }
            if (!queue.await(() -> running() == 0)) {
                return false;
            }
            int place = free();
            while (place >= 0 && queue.size() > 0) {
                Row row = queue.poll();
                if (row == null || isGone(row)) {
                    if (row != null) {
                        letGo(row);
                    }
                    continue;
                }
                row.enter(tiles.get(place / TILE), place % TILE);
                rows[place] = row;
                queue.charge(row.ask.tenant(), row.ask.prompt().length);
                observer.began(row.ask.adapter(), System.nanoTime() - row.asked);
                place = free();
            }
            return true;
        }
    }

    private static boolean isGone(Row row) {
        if (row.ticket.isCancelled()) {
            return true;
        }
        if (row.ticket.isLate()) {
            row.say(listener -> listener.failed(Refused.late()));
            return true;
        }
        return false;
    }

    private int free() {
        for (int place = 0; place < rows.length; place++) {
            if (rows[place] == null) {
                return place;
            }
        }
        return -1;
    }

    /** Frees a place, then says the last word to who had it. */
    private void leave(int place, Consumer<Listener> lastWord) {
        synchronized (queue) {
            Row row = rows[place];
            rows[place] = null;
            if (row != null) {
                row.cache().close();
                slots.get(place / TILE).leave(place % TILE);
                row.say(lastWord);
                letGo(row);
            }
        }
    }

    /**
     * Reads chunks of prompts, one each of the next rows that have some left, from this turn on; returns the turn after them. Where no text is
     * written yet all rows have their chunk, since a pass that writes costs the same for few rows as for all; else until they have as many
     * tokens as one chunk. Neighbours with chunks of one length are read together.
     */
    private int read(int turn) {
        boolean writes = Arrays.stream(rows).anyMatch(row -> row != null && row.isRead());
        int left = writes ? options.chunk : Integer.MAX_VALUE;
        int next = turn;
        List<Chunk> together = new ArrayList<>();
        for (int i = 0; i < rows.length && left > 0; i++) {
            int place = (turn + i) % rows.length;
            Row row = rows[place];
            if (row == null || row.isRead() || row.ticket.isCancelled()) {
                continue;
            }
            left -= row.ask.prompt().length - row.read;
            next = place + 1;
            Chunk chunk = chunk(place, row);
            if (chunk != null && !prompts.goTogether(together, chunk)) {
                read(together);
                together.clear();
                chunk = chunk(place, row);
            }
            if (chunk != null) {
                together.add(chunk);
            }
        }
        read(together);
        return next;
    }

    /** The next chunk of a row's prompt; null where the row has left. */
    private @Nullable Chunk chunk(int place, Row row) {
        try (Scope scope = new Scope()) {
            return prompts.next(place, row);
        } catch (RuntimeException failure) {
            leave(place, listener -> listener.failed(failure));
            return null;
        }
    }

    /** Reads chunks in one pass; where that fails each has one of its own. */
    private void read(List<Chunk> chunks) {
        if (chunks.isEmpty()) {
            return;
        }
        chunks.forEach(chunk -> chunk.row().written = chunk.row().cache().length());
        try (Scope scope = new Scope()) {
            float[][] logits;
            try {
                PromptPasses.Read read = prompts.read(chunks);
                logits = chunks.stream().anyMatch(Chunk::isLast)
                        ? generator.lastLogits(read.hidden(), read.pass())
                        : new float[chunks.size()][];
                Row first = chunks.get(0).row();
                if (first.ask.promptToo()) {
                    first.prompt.addAll(prompts.told(chunks.get(0), read));
                }
            } catch (RuntimeException failure) {
                failed(chunks, failure);
                return;
            }
            for (int i = 0; i < logits.length; i++) {
                ended(chunks.get(i), logits[i]);
            }
        }
    }

    private void failed(List<Chunk> chunks, RuntimeException failure) {
        if (chunks.size() == 1) {
            leave(chunks.get(0).place(), listener -> listener.failed(failure));
            return;
        }
        LOG.error("a pass over {} prompts failed; each is tried alone", chunks.size(), failure);
        for (Chunk chunk : chunks) {
            chunk.row().cache().cut(chunk.row().written);
            read(List.of(chunk));
        }
    }

    /**
     * After a chunk was read: the first token where it was the last.
     *
     * @param logits behind the chunk
     */
    private void ended(Chunk chunk, float[] logits) {
        Row row = chunk.row();
        Served adapter = row.ask.adapter();
        try {
            observer.read(adapter, chunk.length());
            prompts.ended(chunk);
            if (row.isRead()) {
                if (row.ask.promptToo()) {
                    row.listener.prompt(row.prompt);
                }
                slots.get(chunk.place() / TILE).put(chunk.place() % TILE, adapter.selection());
                took(chunk.place(), row, logits);
                observer.first(adapter, System.nanoTime() - row.asked);
            }
        } catch (RuntimeException failure) {
            leave(chunk.place(), listener -> listener.failed(failure));
        }
    }

    /** Writes a token for each row of a tile whose prompt is read. */
    private void write(int tile) {
        long start = System.nanoTime();
        int first = tile * TILE;
        Map<Integer, Row> writing = new LinkedHashMap<>();
        for (int i = 0; i < TILE; i++) {
            Row row = rows[first + i];
            if (row != null && row.isRead()) {
                row.written = row.cache().length();
                writing.put(i, row);
            }
        }
        if (writing.isEmpty()) {
            return;
        }
        Map<Integer, float[]> logits = logits(tile, writing);
        writing.forEach((i, row) -> {
            float[] own = logits.get(i);
            if (own != null) {
                took(first + i, row, own);
            }
        });
        observer.wrote(logits.size(), System.nanoTime() - start);
    }

    private Map<Integer, float[]> logits(int tile, Map<Integer, Row> writing) {
        try {
            return tokens.step(slots.get(tile), writing);
        } catch (RuntimeException failure) {
            LOG.error("a pass of {} texts failed; each is tried alone", writing.size(), failure);
            return tokens.eachAlone(writing, (i, again) -> leave(tile * TILE + i, listener -> listener.failed(again)));
        }
    }

    /** Gives a row its next token. */
    private void took(int place, Row row, float[] logits) {
        Ask ask = row.ask;
        try {
            float[] plain = ask.logprobs() < 0 ? logits : logits.clone();
            Steering steering = ask.steering();
            if (steering != null) {
                steering.steer(logits);
            }
            long room = longest() - row.cache().virtual() - ask.prompt().length + 1;
            if (room < 1) {
                throw new InputException("the prompt has " + ask.prompt().length + " tokens behind "
                        + row.cache().virtual() + " virtual ones, " + base.name() + " can take " + longest());
            }
            row.text.step(logits, (int) Math.min(Integer.MAX_VALUE, room));
            int id = row.text.last();
            if (steering != null) {
                steering.took(id);
            }
            String piece = row.piece.toString();
            row.piece.setLength(0);
            if (row.ticket.isCancelled()) {
                leave(place, listener -> {});
                return;
            }
            if (ask.end() != null && ask.end().test(piece)) {
                row.text.end();
            }
            row.listener.token(ask.logprobs() < 0 ? Token.of(id) : Token.of(id, plain, ask.logprobs()), piece);
        } catch (RuntimeException failure) {
            leave(place, listener -> listener.failed(failure));
            return;
        }
        synchronized (queue) {
            queue.charge(ask.tenant(), 2);
        }
        if (!row.text.goesOn()) {
            Listener.Ended ended = new Listener.Ended(row.text.result(), ask.prompt().length, row.cached);
            leave(place, listener -> listener.ended(ended));
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
            for (Row row : rows) {
                if (row != null && !row.ticket.isCancelled()) {
                    row.ticket.cancel();
                    row.say(listener -> listener.failed(Refused.stopping()));
                }
            }
            for (Row row = queue.poll(); row != null; row = queue.poll()) {
                row.say(listener -> listener.failed(Refused.stopping()));
                letGo(row);
            }
        }
        drain(0);
    }
}
