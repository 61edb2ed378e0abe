package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What layers need to know of a pass that read a text token by token: which positions are padding, which leave a state as it is, and where what
 * they keep of the passes before is. In a {@linkplain Pass#ragged ragged} pass each row is read alone.
 */
public final class Recurrence {
    private final Pass pass;
    private final @Nullable Padded padded;

    private Recurrence(Pass pass, @Nullable Padded padded) {
        this.pass = pass;
        this.padded = padded;
    }

    /**
     * That of a pass whose embeddings exist.
     *
     * @throws InputException if several texts stand in a row: a state would go on from one into the next
     */
    public static Recurrence of(Pass pass) {
        if (pass.context().segments() != null) {
            throw new InputException(
                    "several texts stand in a row, but a recurrent state would go on from one into the next;"
                            + " leave packing out");
        }
        return new Recurrence(
                pass, pass.context().ragged() == null ? Padded.of(pass.context().mask()) : null);
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

    /** How a layer reads. */
    public interface Layer {
        /**
         * What the layer gives, {@code [batch, seq, out]}, and then all that it keeps, {@code [batch, ...]} each.
         *
         * @param x {@code [batch, seq, in]}, in each row first what counts and then padding
         * @param visible 1 for positions that count and 0 for padding, {@code [batch, seq]} int64; null where all count
         * @param state what it kept of the passes before; empty where it has read nothing
         */
        List<Tensor> read(Tensor x, @Nullable Tensor visible, List<Tensor> state);
    }

    /**
     * The last positions that count, {@code [batch, count, size]}.
     *
     * @param x {@code [batch, count + seq, size]}: the last ones of the passes before, then what a {@link Layer} reads
     * @param visible as the layer is given it
     */
    public static Tensor last(Tensor x, long count, @Nullable Tensor visible) {
        return visible == null
                ? x.narrow(1, x.size(1) - count, count)
                : at(Ops.sum(visible, 1, true).add(Tensors.arange(count)).unsqueeze(-1), x);
    }

    /**
     * What a layer gives, {@code [batch, seq, out]}. What it makes on the way isn't kept for a backward pass, which has the layer read again.
     *
     * @param name under which its state is kept
     * @param x {@code [batch, seq, each]}, put side by side
     */
    public Tensor read(String name, Layer layer, Tensor... x) {
        Tape tape = pass.tape();
        if (tape == null) {
            return pass.piece(() -> new Tensor[] {each(name, layer, x)})[0];
        }
        Profile.at("recurrence");
        return tape.again(own -> own.run(() -> new Tensor[] {each(name, layer, x)}))[0];
    }

    private Tensor each(String name, Layer layer, Tensor... x) {
        Tensor whole = x.length == 1 ? x[0] : Ops.cat(-1, x);
        Ragged ragged = pass.context().ragged();
        return ragged == null
                ? kept(name, layer, whole, pass)
                : ragged.each(whole, (row, own) -> kept(name, layer, row, own));
    }

    private Tensor kept(String name, Layer layer, Tensor x, Pass own) {
        KvCache cache = own.context().cache();
        List<Tensor> before = cache == null ? List.of() : cache.state().of(name);
        List<Tensor> read =
                padded == null ? layer.read(x, null, before) : layer.read(at(padded.order, x), padded.visible, before);
        if (cache != null) {
            cache.state().put(name, read.subList(1, read.size()));
        }
        return padded == null ? read.get(0) : at(padded.places, read.get(0));
    }
}
