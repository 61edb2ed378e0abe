package dev.graft.peft.inits;

import dev.graft.formats.InputException;
import dev.graft.peft.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Disjoint halves of one random orthogonal basis, so that B A = 0 although neither is zero ({@code orthogonal_init} in PEFT): with Q
 * {@code [r, r]} orthogonal, {@code A = Q[even rows]ᵀ X / 10} and {@code B = Y Q[odd rows] / 10} for normal X and Y. r is even.
 */
record Orthogonal() implements LoraInit {
    @Override
    public String name() {
        return "orthogonal";
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        if (r % 2 != 0) {
            throw new InputException("init_lora_weights \"orthogonal\" needs an even rank, r is " + r + " at "
                    + context.site().name());
        }
        Tensor q = torch.linalg_qr(context.rng().normal(0, 1, r, r)).get0();
        Tensor x = context.rng().normal(0, 1, r / 2, context.site().in());
        Tensor y = context.rng().normal(0, 1, context.site().out(), r / 2);
        return new Factors(Ops.scale(everyOther(q, 0).t().matmul(x), 0.1), Ops.scale(y.matmul(everyOther(q, 1)), 0.1));
    }

    private static Tensor everyOther(Tensor q, int first) {
        long[] rows = new long[(int) q.size(0) / 2];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = 2L * i + first;
        }
        return q.index_select(0, Tensors.of(rows, rows.length));
    }
}
