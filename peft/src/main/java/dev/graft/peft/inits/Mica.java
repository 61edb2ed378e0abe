package dev.graft.peft.inits;

import dev.graft.peft.Factors;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** MiCA (2026): B is the last r left singular vectors of the base's weight and stays frozen; A starts at zero. */
record Mica() implements LoraInit {
    @Override
    public String name() {
        return "mica";
    }

    @Override
    public boolean trainsB() {
        return false;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), r);
        Tensor u = Svd.of(context.weight()).u();
        return new Factors(Tensors.zeros(u.scalar_type(), r, context.site().in()), u.narrow(1, u.size(1) - r, r));
    }
}
