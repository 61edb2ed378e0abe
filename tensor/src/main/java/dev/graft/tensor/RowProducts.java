package dev.graft.tensor;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Products of texts with matrices of their own, {@code yᵢ = xᵢ Mᵢ}. For texts of a single token a batched product takes two to four times
 * as long as adding up the rows of M, weighed by the numbers of x, so an embedding bag does it. What a text gets depends on no other one.
 * Used by one thread.
 */
public final class RowProducts implements AutoCloseable {
    private final int rows;
    private final Map<Long, Places> places = new HashMap<>();

    /** Products of up to so many texts. */
    public RowProducts(int rows) {
        this.rows = rows;
    }

    /** Of all rows: where the rows of their matrices are in a table of all, and where each one's begin. */
    private record Places(Tensor all, Tensor starts) {}

    /**
     * The products of the first texts, {@code [texts, tokens, out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, in]}
     * @param matrices {@code [rows, in, out]} of x's type
     */
    public Tensor times(Tensor x, Tensor matrices) {
        long texts = x.size(0);
        if (x.size(1) != 1) {
            return x.bmm(texts == rows ? matrices : matrices.narrow(0, 0, texts));
        }
        long in = matrices.size(1);
        Places known = places.computeIfAbsent(in, this::places);
        return torch.embedding_bag(
                        matrices.view(-1, matrices.size(2)),
                        texts == rows ? known.all : known.all.narrow(0, 0, texts * in),
                        texts == rows ? known.starts : known.starts.narrow(0, 0, texts),
                        false,
                        0,
                        false,
                        new TensorOptional(x.reshape(-1)),
                        false)
                .get0()
                .unsqueeze(1);
    }

    private Places places(long in) {
        return new Places(range(rows * in, 1), range(rows * in, in));
    }

    private static Tensor range(long end, long step) {
        Tensor range = torch.arange(new Scalar(0L), new Scalar(end), new Scalar(step));
        return kept(Ops.to(range, ScalarType.Int));
    }

    private static Tensor kept(Tensor tensor) {
        tensor.retainReference();
        return tensor;
    }

    @Override
    public void close() {
        places.values().forEach(known -> {
            known.all.close();
            known.starts.close();
        });
        places.clear();
    }
}
