package dev.graft.peft.inits;

import dev.graft.peft.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.TorchRng;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A singular value decomposition {@code W = U diag(S) V}, with decreasing values.
 *
 * @param u {@code [out, k]}
 * @param s {@code [k]}
 * @param v {@code [k, in]}
 */
public record Svd(Tensor u, Tensor s, Tensor v) {
    /** Returns the full decomposition. */
    public static Svd of(Tensor w) {
        T_TensorTensorTensor_T svd = torch.linalg_svd(w, false, new StringViewOptional());
        return new Svd(svd.get0(), svd.get1(), svd.get2());
    }

    /**
     * Returns the full decomposition of {@code B A}, in time proportional to the sum of the sizes instead of their product. It computes a QR of
     * both, then the SVD of the product of the two R.
     */
    public static Svd of(Factors update) {
        T_TensorTensor_T left = torch.linalg_qr(update.b());
        T_TensorTensor_T right = torch.linalg_qr(update.a().t());
        Svd core = of(left.get1().matmul(right.get1().t()));
        return new Svd(
                left.get0().matmul(core.u), core.s, core.v.matmul(right.get0().t()));
    }

    /**
     * The first k triplets by subspace iteration from random vectors (Halko et al., 2011, algorithms 4.4 and 5.1); exact where k is as
     * large as the matrix.
     */
    static Svd first(Tensor w, long k, int iterations, Rng rng) {
        if (k >= Math.min(w.size(0), w.size(1))) {
            return of(w);
        }
        Tensor q = basis(w.matmul(Ops.to(rng.normal(0, 1, w.size(1), k), w.scalar_type())));
        for (int i = 0; i < iterations; i++) {
            q = basis(w.matmul(basis(w.t().matmul(q))));
        }
        Svd small = of(q.t().matmul(w));
        return new Svd(q.matmul(small.u), small.s, small.v);
    }

    /**
     * {@code torch.svd_lowrank(w, k, niter=iterations)} (Halko et al., 2011, algorithm 5.1) with torch's random numbers for a seed.
     */
    public static Svd lowRank(Tensor w, long k, int iterations, long seed) {
        boolean wide = w.size(0) < w.size(1);
        Tensor tall = wide ? w.t() : w;
        Tensor drawn = new TorchRng(seed).normal(0, 1, tall.size(1), k);
        Tensor q = basis(tall.matmul(Ops.to(drawn, w.scalar_type())));
        for (int i = 0; i < iterations; i++) {
            q = basis(tall.matmul(basis(tall.t().matmul(q))));
        }
        Svd small = of(q.t().matmul(tall));
        Tensor left = q.matmul(small.u);
        return wide ? new Svd(small.v.t(), small.s, left.t()) : new Svd(left, small.s, small.v);
    }

    private static Tensor basis(Tensor x) {
        return torch.linalg_qr(x).get0();
    }

    /** Returns some consecutive triplets. */
    Svd narrow(long from, long count) {
        return new Svd(u.narrow(1, from, count), s.narrow(0, from, count), v.narrow(0, from, count));
    }

    /** Returns B and A with {@code scaling · B A} equal to this matrix; each has the root of the values. */
    Factors factors(double scaling) {
        Tensor root = Ops.scale(s, 1 / scaling).sqrt();
        return new Factors(v.mul(root.unsqueeze(1)), u.mul(root.unsqueeze(0)));
    }
}
