package dev.graft.peft.inits;

import dev.graft.peft.Factors;
import dev.graft.peft.Initializer;
import org.bytedeco.pytorch.Tensor;

/**
 * Initialisations that don't depend on the base: {@code true} (A Kaiming-uniform as in Microsoft's LoRA, B zero), {@code gaussian} (A normal with
 * standard deviation 1/r, B zero) and {@code false} (both Kaiming-uniform, so a new adapter changes the base: for tests).
 */
record RandomInit(String name) implements LoraInit {
    @Override
    public Factors factors(InitContext context) {
        long r = context.rank();
        Initializer down = name.equals("gaussian") ? Initializer.normal(1.0 / r) : Initializer.KAIMING;
        Initializer up = name.equals("false") ? Initializer.KAIMING : Initializer.ZEROS;
        Tensor a = down.create(context.rng(), r, context.site().in());
        return new Factors(a, up.create(context.rng(), context.site().out(), r));
    }
}
