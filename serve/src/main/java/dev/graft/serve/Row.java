package dev.graft.serve;

import dev.graft.models.KvCache;
import dev.graft.models.KvTile;
import dev.graft.models.generate.Continuation;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A text that is being read or written. */
final class Row {
    final Ask ask;
    final Listener listener;
    final Ticket ticket;
    final Continuation text;
    /** Whether its prompt is read in chunks, which other prompts may share; else it is read whole. */
    final boolean chunked;

    /** Filled by the text while it takes a token. */
    final StringBuilder piece;

    private @Nullable KvCache cache;
    final long asked = System.nanoTime();
    /** How far its cache was filled before the present pass. */
    long written;

    int read;
    int cached;

    /** What was read of the prompt, where its probabilities are wanted. */
    final List<Token> prompt = new ArrayList<>();

    Row(Ask ask, Listener listener, Ticket ticket, Continuation text, StringBuilder piece, boolean chunked) {
        this.ask = ask;
        this.listener = listener;
        this.ticket = ticket;
        this.text = text;
        this.piece = piece;
        this.chunked = chunked;
    }

    /** Takes a row of a tile. */
    void enter(KvTile tile, int row) {
        cache = tile.row(row, (long) ask.prompt().length + ask.options().maxNewTokens());
    }

    /** What was read and written so far, since it has entered. */
    KvCache cache() {
        return Objects.requireNonNull(cache);
    }

    void say(Consumer<Listener> word) {
        Listeners.tell(ask.adapter(), () -> word.accept(listener));
    }

    boolean isRead() {
        return read == ask.prompt().length;
    }
}
