package dev.graft.serve;

import dev.graft.models.KvCache;
import dev.graft.models.generate.Continuation;

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

    final KvCache cache;
    final long asked = System.nanoTime();
    int read;
    int cached;

    Row(Ask ask, Listener listener, Ticket ticket, Continuation text, StringBuilder piece, boolean chunked) {
        this.ask = ask;
        this.listener = listener;
        this.ticket = ticket;
        this.text = text;
        this.piece = piece;
        this.chunked = chunked;
        this.cache = new KvCache((long) ask.prompt().length + ask.options().maxNewTokens());
    }

    boolean isRead() {
        return read == ask.prompt().length;
    }
}
