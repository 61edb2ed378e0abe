package dev.graft.peft.methods.orthogonal;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Orthogonal matrices from skew-symmetric ones, in batches {@code [..., b, b]}. */
final class Cayley {
    private Cayley() {}

    /** {@code (I - S)(I + S)⁻¹}. */
    static Tensor exact(Tensor skew) {
        Tensor one = identity(skew);
        return torch.linalg_solve(one.add(skew), one.sub(skew), false);
    }

    /** Returns the first terms of Neumann's series of {@code (I + S)(I - S)⁻¹}: {@code I + 2 S + … + 2 Sᵗ⁻² + Sᵗ⁻¹}. */
    static Tensor neumann(Tensor skew, int terms) {
        Tensor sum = identity(skew).expand(Tensors.shape(skew));
        if (terms < 2) {
            return sum;
        }
        sum = Ops.addScaled(sum, skew, 2);
        if (terms == 2) {
            return sum;
        }
        Tensor power = skew.matmul(skew);
        sum = Ops.addScaled(sum, power, 2);
        for (int i = 3; i < terms - 1; i++) {
            power = power.matmul(skew);
            sum = Ops.addScaled(sum, power, 2);
        }
        return sum.add(power.matmul(skew));
    }

    /** Returns a skew-symmetric matrix from the values above its diagonal, row by row: {@code [..., b (b - 1) / 2]}. */
    static Tensor skew(Tensor above, int b) {
        long[] places = new long[b * (b - 1) / 2];
        int next = 0;
        for (int row = 0; row < b; row++) {
            for (int column = row + 1; column < b; column++) {
                places[next++] = (long) row * b + column;
            }
        }
        long[] outer = Tensors.shape(above);
        int last = outer.length - 1;
        outer[last] = (long) b * b;
        long[] square = Arrays.copyOf(outer, last + 2);
        square[last] = b;
        square[last + 1] = b;
        Tensor upper = Tensors.zeros(above.scalar_type(), outer)
                .index_copy(last, Tensors.of(places, next), above)
                .view(square);
        return upper.sub(upper.transpose(-2, -1));
    }

    static Tensor identity(Tensor like) {
        return identity(like.size(-1), like.scalar_type());
    }

    static Tensor identity(long size, ScalarType type) {
        return Ops.to(torch.eye(size), type);
    }

    /** Rotates the last dimension of x {@code [..., blocks · b]} block by block: {@code x R} with {@code R [blocks, b, b]}. */
    static Tensor rotate(Tensor x, Tensor r) {
        long blocks = r.size(0);
        long b = r.size(1);
        Tensor rows = x.reshape(-1, blocks, b).transpose(0, 1);
        return rows.bmm(r).transpose(0, 1).reshape(Tensors.shape(x));
    }

    /** Replaces each block of {@code R [..., b, b]} by the identity with probability p, in training. */
    static Tensor drop(Tensor r, double p, boolean training) {
        if (!training || p == 0) {
            return r;
        }
        long[] shape = Tensors.shape(r);
        shape[shape.length - 1] = 1;
        shape[shape.length - 2] = 1;
        Tensor kept = Ops.to(Dropout.mask(r.scalar_type(), p, shape).gt(new Scalar(0.0)), r.scalar_type());
        Tensor one = identity(r);
        return one.add(r.sub(one).mul(kept));
    }
}
