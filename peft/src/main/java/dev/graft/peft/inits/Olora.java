package dev.graft.peft.inits;

import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.global.torch;

/**
 * OLoRA (Büyükakyüz, 2024): of {@code W = Q R} B is the first r columns of Q and A the first r rows of R; {@code s · B A} is taken off
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
    public Factors factors(Place place) {
        int r = place.rank();
        place.requireRank(this, r);
        T_TensorTensor_T qr = torch.linalg_qr(place.weight());
        return new Factors(qr.get1().narrow(0, 0, r), qr.get0().narrow(1, 0, r));
    }
}
