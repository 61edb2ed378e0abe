package dev.graft.models.arch;

import dev.graft.models.attention.AttentionMask;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A decoder of BART's kind with its embeddings.
 *
 * @param scale the multiplier of token embeddings
 * @param positions the table of positions
 * @param offset the row of position 0
 * @param norm the norm of the embeddings, or null
 * @param dropout the dropout of the embeddings
 */
record BartDecoder(
        BartStack stack,
        Embedding tokens,
        double scale,
        Embedding positions,
        int offset,
        @Nullable Norm norm,
        double dropout) {
    /** An encoder's output and the mask of its input, {@code [batch, seq]}; null if nothing in it is hidden. */
    record Encoded(Tensor states, @Nullable Tensor mask) {}

    /**
     * Computes the hidden states of the ids so far, {@code [batch, seq, width]}.
     *
     * @param encoder called once if there is a cache
     */
    Tensor hidden(Inputs in, Supplier<Encoded> encoder, ForwardPass pass) {
        KvCache cache = pass.context().cache();
        BartStack.Source source = source(cache, encoder);
        pass.context().setInputs(in);
        AttentionMask mask = AttentionMask.of(stack.first(), true, stack.base(), pass);
        Tensor places = places(in, mask.positionShift(), cache);
        Tensor h = pass.segment(() -> new Tensor[] {embedded(in, places, pass)})[0];
        Tensor last = stack.run(h, mask, source, pass);
        if (cache != null) {
            cache.advance(mask.keys());
        }
        return last;
    }

    private BartStack.Source source(@Nullable KvCache cache, Supplier<Encoded> encoder) {
        if (cache != null && cache.length() > 0) {
            Tensor kept = cache.sourceOrNull();
            return new BartStack.Source(null, kept == null ? null : AttentionMask.hiding(kept, stack.small()));
        }
        Encoded encoded = encoder.get();
        Tensor mask = encoded.mask;
        if (cache != null && mask != null) {
            cache.keepSource(mask);
        }
        return new BartStack.Source(encoded.states, mask == null ? null : AttentionMask.hiding(mask, stack.small()));
    }

    /** Returns rows of the table, {@code [batch, seq]}; a prefix shifts them. */
    private Tensor places(Inputs in, @Nullable Tensor shift, @Nullable KvCache cache) {
        Tensor given = in.positions();
        long past = cache == null || cache.length() == 0 ? 0 : cache.length() - cache.virtualPositions();
        Tensor counted =
                given == null ? Ops.plusLong(Tensors.arange(in.width()), past).unsqueeze(0) : given;
        Tensor moved = shift == null ? counted : counted.add(shift);
        return Ops.plusLong(moved, offset).expand(in.rows(), -1);
    }

    private Tensor embedded(Inputs in, Tensor places, ForwardPass pass) {
        Tensor rows = Ops.to(pass.hooks().embedding(tokens, in.ids(), pass), stack.small());
        Tensor scaled = scale == 1 ? rows : Ops.scale(rows, scale);
        Tensor sum = scaled.add(Ops.to(pass.hooks().embedding(positions, places, pass), stack.small()));
        return Dropout.apply(norm == null ? sum : pass.hooks().norm(norm, sum, pass), dropout, pass.isTraining());
    }
}
