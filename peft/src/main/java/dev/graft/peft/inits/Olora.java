package dev.graft.peft.inits;

import dev.graft.peft.Factors;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.global.torch;

/**
 * OLoRA (Büyükakyüz, 2024): with {@code W = Q R}, B is the first r columns of Q and A the first r rows of R; {@code s · B A} is subtracted from
 * the base.
 */
record Olora() implements LoraInit {
    @Override
    public String name() {
        return "olora";
    }

    @Override
    public Offset offset() {
        return Offset.OF_BASE;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), r);
        T_TensorTensor_T qr = torch.linalg_qr(context.weight());
        return new Factors(qr.get1().narrow(0, 0, r), qr.get0().narrow(1, 0, r));
    }
}
