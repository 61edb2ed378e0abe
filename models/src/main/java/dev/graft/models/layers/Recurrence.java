package dev.graft.models.layers;

import dev.graft.formats.InputException;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Tape;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The view that recurrent layers have of a pass over a text, token by token. It contains the padding, which leaves a
 * state unchanged, and the state of earlier passes. In a {@linkplain ForwardPass#ragged ragged} pass each row is read
 * alone.
 */
public final class Recurrence {
    private final ForwardPass pass;
    private final @Nullable Padded padded;

    private Recurrence(ForwardPass pass, @Nullable Padded padded) {
        this.pass = pass;
        this.padded = padded;
    }

    /**
     * Creates the view of a pass whose embeddings exist.
     *
     * @throws InputException if a row contains several texts: a state would continue from one into the next
     */
    public static Recurrence of(ForwardPass pass) {
        if (pass.context().segments() != null) {
            throw new InputException(
                    "several texts stand in a row, but a recurrent state would go on from one into the next;"
                            + " leave packing out");
        }
        return new Recurrence(
                pass, pass.ragged() == null ? Padded.of(pass.context().mask()) : null);
    }

    /**
     * Rows of which some are padded, put so that all padding is at their end.
     *
     * @param visible 1 for positions that count and 0 for padding, {@code [batch, seq]} int64
     * @param order where these positions are in the batch, {@code [batch, seq, 1]}; null where they are there already
     * @param places where the positions of the batch are in that order, {@code [batch, seq, 1]}, or null
     */
    private record Padded(
            Tensor visible,
            @Nullable Tensor order,
            @Nullable Tensor places) {
        static @Nullable Padded of(Tensor mask) {
            long[] counts = Tensors.longs(mask);
            if (Arrays.stream(counts).allMatch(count -> count == 1)) {
                return null;
            }
            int width = (int) mask.size(1);
            boolean ends = true;
            for (int i = 0; i < counts.length; i++) {
                ends &= i % width == 0 || counts[i] <= counts[i - 1];
            }
            if (ends) {
                return new Padded(mask, null, null);
            }
            Tensor order = mask.argsort(true, 1, true);
            return new Padded(
                    mask.gather(1, order),
                    order.unsqueeze(-1),
                    order.argsort(1, false).unsqueeze(-1));
        }
    }

    private static Tensor at(@Nullable Tensor places, Tensor x) {
        return places == null ? x : x.gather(1, places.expand(-1, -1, x.size(2)));
    }

    /** A layer that reads a text token by token. */
    public interface RecurrentLayer {
        /**
         * Returns the layer's output, {@code [batch, seq, out]}, followed by all state that it keeps,
         * {@code [batch, ...]} each.
         *
         * @param x {@code [batch, seq, in]}, in each row first the tokens and then padding
         * @param visible 1 for tokens and 0 for padding, {@code [batch, seq]} int64; null without padding
         * @param state the layer's state of earlier passes; empty before the first
         */
        List<Tensor> read(Tensor x, @Nullable Tensor visible, List<Tensor> state);
    }

    /**
     * Returns the last visible positions, {@code [batch, count, size]}.
     *
     * @param x {@code [batch, count + seq, size]}: the last positions of earlier passes, then the input of a {@link RecurrentLayer}
     * @param visible as in {@link RecurrentLayer#read}
     */
    public static Tensor last(Tensor x, long count, @Nullable Tensor visible) {
        return visible == null
                ? x.narrow(1, x.size(1) - count, count)
                : at(Ops.sum(visible, 1, true).add(Tensors.arange(count)).unsqueeze(-1), x);
    }

    /**
     * Returns a layer's output, {@code [batch, seq, out]}. Its temporary tensors aren't kept for a backward pass, which runs the layer again.
     *
     * @param name the name under which its state is kept
     * @param x {@code [batch, seq, each]}, concatenated along the last dimension
     */
    public Tensor read(String name, RecurrentLayer layer, Tensor... x) {
        Tape tape = pass.tape();
        if (tape == null) {
            return pass.segment(() -> new Tensor[] {each(name, layer, x)})[0];
        }
        Profiler.enter("recurrence");
        return tape.checkpoint(own -> own.run(() -> new Tensor[] {each(name, layer, x)}))[0];
    }

    private Tensor each(String name, RecurrentLayer layer, Tensor... x) {
        Tensor whole = x.length == 1 ? x[0] : Ops.cat(-1, x);
        RaggedBatch<ForwardPass> ragged = pass.ragged();
        return ragged == null
                ? kept(name, layer, whole, pass)
                : ragged.mapRows(whole, (row, rowPass) -> kept(name, layer, row, rowPass));
    }

    private Tensor kept(String name, RecurrentLayer layer, Tensor x, ForwardPass rowPass) {
        KvCache cache = rowPass.context().cache();
        List<Tensor> before = cache == null ? List.of() : cache.state().of(name);
        List<Tensor> read =
                padded == null ? layer.read(x, null, before) : layer.read(at(padded.order, x), padded.visible, before);
        if (cache != null) {
            cache.state().put(name, read.subList(1, read.size()));
        }
        return padded == null ? read.get(0) : at(padded.places, read.get(0));
    }
}
