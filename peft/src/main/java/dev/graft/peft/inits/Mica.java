package dev.graft.peft.inits;

import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** MiCA (2026): B is the last r left singular vectors of the base's weight and stays as it is; A starts at zero. */
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
    public Factors factors(Place place) {
        int r = place.rank();
        place.requireRank(this, r);
        Tensor u = Svd.of(place.weight()).u();
        return new Factors(Tensors.zeros(u.scalar_type(), r, place.site().in()), u.narrow(1, u.size(1) - r, r));
    }
}
