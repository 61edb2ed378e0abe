package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Slots;
import dev.graft.tensor.Aside;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Runs chunks of prompts through the base: those of neighbours in a tile in one pass, where all that acts on them is low-rank updates and no
 * text can tell ({@link Base#rowsAreSteady}, {@link SteadyProducts}). Used by one thread.
 */
final class PromptPasses implements AutoCloseable {
    /** Tokens of each text from which on texts go together: small products go other ways. */
    private static final int FEWEST = 32;

    private final Base base;
    private final List<Slots> tiles;
    private final int size;
    private final PromptCache cache;
    private final boolean steady;

    /**
     * Passes of a base.
     *
     * @param tiles the slots of all places
     * @param size the most tokens of a chunk
     * @param kept the most bytes of keys and values that are kept for other prompts
     */
    PromptPasses(Base base, List<Slots> tiles, int size, long kept) {
        this.base = base;
        this.tiles = tiles;
        this.size = size;
        this.cache = new PromptCache(size, kept);
        this.steady = size >= FEWEST
                && base.rowsAreSteady()
                && Aside.run(() -> SteadyProducts.of(base, FEWEST, size, TokenPasses.TILE));
    }

    /**
     * What is read of a prompt in one pass.
     *
     * @param place of the row
     * @param end behind its last token
     * @param joins whether others may be in the pass
     * @param hooks of a pass of the row alone
     */
    record Chunk(int place, Row row, int end, boolean joins, Hooks hooks) {
        int length() {
            return end - row.read;
        }

        /** Whether nothing of the prompt is left behind it. */
        boolean isLast() {
            return end == row.ask.prompt().length;
        }
    }

    /** What was read of chunks: their hidden states, and the pass that they were read in. */
    record Read(Hidden hidden, Pass pass) {}

    /** The next chunk of a prompt, behind what others have read of it. */
    Chunk next(int place, Row row) {
        int[] prompt = row.ask.prompt();
        Served adapter = row.ask.adapter();
        adapter.selection().hooks().requireFit(base.backbone());
        if (row.read == 0 && row.chunked && !row.ask.promptToo()) {
            row.read = cache.read(adapter.revision(), prompt, row.cache());
            row.cached = row.read;
        }
        boolean together = slots(place).putUpdates(slot(place), adapter.selection());
        Hooks hooks = together
                ? slots(place).hooks(slot(place), 1)
                : adapter.selection().hooks();
        int end = row.chunked ? Math.min(prompt.length, row.read + size) : prompt.length;
        return new Chunk(place, row, end, together && row.chunked && steady && !row.ask.promptToo(), hooks);
    }

    /** Whether one more chunk may be in a pass: that of the next place, unless it is to be found in the cache when the others are read. */
    boolean goTogether(List<Chunk> chunks, Chunk more) {
        if (chunks.isEmpty()) {
            return true;
        }
        Chunk last = chunks.get(chunks.size() - 1);
        return last.joins
                && more.joins
                && more.place == last.place + 1
                && slot(more.place) > 0
                && more.length() == last.length()
                && more.length() >= FEWEST
                && chunks.stream().noneMatch(chunk -> isRead(chunk, more));
    }

    private boolean isRead(Chunk chunk, Chunk more) {
        int end = chunk.end;
        return end % size == 0
                && more.row.read == 0
                && more.row.ask.prompt().length > end
                && more.row.ask.adapter().revision() == chunk.row.ask.adapter().revision()
                && Arrays.equals(chunk.row.ask.prompt(), 0, end, more.row.ask.prompt(), 0, end);
    }

    /** Reads chunks in one pass. */
    Read read(List<Chunk> chunks) {
        Chunk first = chunks.get(0);
        int count = chunks.size();
        long[] ids = chunks.stream()
                .flatMapToInt(chunk -> Arrays.stream(chunk.row.ask.prompt(), chunk.row.read, chunk.end))
                .asLongStream()
                .toArray();
        Tensor mask = Tensors.ones(ScalarType.Long, count, first.length());
        List<Pass> passes = chunks.stream()
                .map(chunk -> Pass.cached(chunk.hooks, chunk.row.cache()))
                .toList();
        Pass pass =
                count == 1 ? passes.get(0) : Pass.ragged(slots(first.place).hooks(slot(first.place), count), passes);
        return new Read(base.hidden(Inputs.of(Tensors.of(ids, count, first.length()), mask), pass), pass);
    }

    /** The tokens of the prompt behind those of a chunk that was read alone, with their probabilities; before them the first one of all. */
    List<Token> told(Chunk chunk, Read read) {
        int[] prompt = chunk.row.ask.prompt();
        int likeliest = chunk.row.ask.logprobs();
        List<Token> tokens = new ArrayList<>();
        if (chunk.row.read == 0) {
            tokens.add(Token.of(prompt[0]));
        }
        Tensor last = read.hidden.last().narrow(1, read.hidden.last().size(1) - chunk.length(), chunk.length());
        int end = Math.min(chunk.end, prompt.length - 1);
        for (int from = chunk.row.read; from < end; from += size) {
            try (Scope scope = new Scope()) {
                int count = Math.min(size, end - from);
                Tensor some = last.narrow(1, from - chunk.row.read, count);
                Tensor logits = base.logits(new Hidden(some, read.hidden.mask(), 0, List.of()), read.pass);
                for (int i = 0; i < count; i++) {
                    tokens.add(Token.of(prompt[from + i + 1], Tensors.floats(logits.select(1, i)), likeliest));
                }
            }
        }
        return tokens;
    }

    /** Says that a chunk was read, and keeps what it made for other prompts. */
    void ended(Chunk chunk) {
        Row row = chunk.row;
        row.read = chunk.end;
        if (row.chunked) {
            cache.keep(row.ask.adapter().revision(), row.ask.prompt(), chunk.end, row.cache());
        }
    }

    private Slots slots(int place) {
        return tiles.get(place / TokenPasses.TILE);
    }

    private static int slot(int place) {
        return place % TokenPasses.TILE;
    }

    @Override
    public void close() {
        cache.close();
    }
}
