package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.tensor.Numerics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One of the texts of a request.
 *
 * @param place which one
 * @param width how many tokens it takes in a pass, padding included: a function of its length alone, so that its row has one shape in any company
 * @param kind which texts it shares passes with
 */
record WholeText(Request request, int place, int width, Kind kind) {
    /** Which texts may be in a pass. */
    enum Kind {
        /** One alone. */
        ALONE,
        /** Those of one width, each in a row. */
        ROWS,
        /** Those of any width, all in one row. */
        ONE_ROW
    }

    /** What is known of a request until all its texts are read. Used by the engine's thread. */
    static final class Request {
        final EncoderAsk ask;
        final EncoderListener listener;
        final Ticket ticket;
        final long asked = System.nanoTime();
        private final float[][] answers;
        private int open;
        private boolean failed;

        Request(EncoderAsk ask, EncoderListener listener) {
            this.ask = ask;
            this.listener = listener;
            this.ticket = new Ticket(ask.deadline());
            this.open = ask.texts().size();
            this.answers = new float[open][];
        }

        /** Says once that it isn't answered. */
        synchronized void fail(RuntimeException why) {
            boolean tells = !failed && !ticket.isCancelled();
            failed = true;
            if (tells) {
                Listeners.tell(ask.adapter(), () -> listener.failed(why));
            }
        }

        synchronized boolean isGone() {
            if (ticket.isLate()) {
                fail(Refused.late());
            }
            return failed || ticket.isCancelled();
        }

        void take(int place, float[] answer) {
            answers[place] = answer;
        }

        /** One of its texts is read or given up. */
        void left() {
            open--;
            if (open == 0) {
                if (!isGone()) {
                    Listeners.tell(ask.adapter(), () -> listener.read(List.of(answers)));
                }
                Listeners.tell(ask.adapter(), listener::left);
            }
        }
    }

    /** The texts of a request. */
    static List<WholeText> of(Request request, Base base) {
        Served adapter = request.ask.adapter();
        boolean alone = !base.rowsAreSteady()
                || !adapter.isLocal(base)
                || adapter.selection().looksAhead();
        boolean packs = base.backbone().packsExactly()
                && base.numerics().equals(Numerics.FP32)
                && adapter.selection().isLowRank();
        List<WholeText> texts = new ArrayList<>();
        for (int place = 0; place < request.ask.texts().size(); place++) {
            int length = request.ask.texts().get(place).length();
            if (alone || length > base.backbone().steadyPositions()) {
                texts.add(new WholeText(request, place, length, Kind.ALONE));
            } else if (packs) {
                texts.add(new WholeText(request, place, length, Kind.ONE_ROW));
            } else {
                int width = Math.min(padded(length), base.backbone().steadyPositions());
                texts.add(new WholeText(request, place, width, Kind.ROWS));
            }
        }
        return texts;
    }

    /** Longer texts are padded by more, up to about a sixth, so that texts of nearly one length can share a pass. */
    private static int padded(int length) {
        return padded(length, length <= 128 ? 16 : 32);
    }

    /** How long a row is that holds so many tokens of texts: products are compiled for each length. */
    static int row(int tokens) {
        return padded(tokens, 16);
    }

    private static int padded(int length, int most) {
        int step = length <= 32 ? 4 : length <= 64 ? 8 : most;
        return (length + step - 1) / step * step;
    }

    Encoding encoding() {
        return request.ask.texts().get(place);
    }

    String tenant() {
        return request.ask.tenant();
    }

    boolean alone() {
        return kind == Kind.ALONE;
    }

    /** Tokens of a pass. */
    static int tokens(List<WholeText> batch) {
        return batch.stream().mapToInt(WholeText::width).sum();
    }

    /** Shares texts out in passes, in the order in which they came. */
    static List<List<WholeText>> batches(List<WholeText> texts, int rows, int tokens) {
        Map<Integer, List<WholeText>> filling = new LinkedHashMap<>();
        List<List<WholeText>> batches = new ArrayList<>();
        for (WholeText text : texts) {
            if (text.alone()) {
                batches.add(List.of(text));
                continue;
            }
            int key = text.kind == Kind.ONE_ROW ? 0 : text.width;
            List<WholeText> batch = filling.get(key);
            if (batch == null || batch.size() == rows || tokens(batch) + text.width > tokens) {
                batch = new ArrayList<>();
                filling.put(key, batch);
                batches.add(batch);
            }
            batch.add(text);
        }
        return batches;
    }
}
