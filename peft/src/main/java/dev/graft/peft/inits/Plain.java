package dev.graft.peft.inits;

import dev.graft.peft.Initial;
import org.bytedeco.pytorch.Tensor;

/**
 * Starts that look at nothing: {@code true} (A Kaiming-uniform as in Microsoft's LoRA, B zero), {@code gaussian} (A normal with standard
 * deviation 1/r, B zero) and {@code false} (both Kaiming-uniform, so that a new adapter changes the base: for tests).
 */
record Plain(String name) implements LoraInit {
    @Override
    public Factors factors(Place place) {
        long r = place.rank();
        Initial down = name.equals("gaussian") ? Initial.normal(1.0 / r) : Initial.KAIMING;
        Initial up = name.equals("false") ? Initial.KAIMING : Initial.ZEROS;
        Tensor a = down.make(place.rng(), r, place.site().in());
        return new Factors(a, up.make(place.rng(), place.site().out(), r));
    }
}
