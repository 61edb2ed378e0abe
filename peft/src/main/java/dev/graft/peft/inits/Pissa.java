package dev.graft.peft.inits;

import dev.graft.peft.Factors;

/**
 * PiSSA (Meng et al., 2024): the first r singular triplets of the base's weight are trained, {@code s · B A = U[:, :r] S[:r] V[:r]}; the rest
 * stays frozen. {@code pissa_niter_N} computes them by N subspace iterations, which is faster for large weights but not reproducible, so files
 * store the result.
 *
 * @param iterations N, or 0 for an exact decomposition
 */
record Pissa(int iterations) implements LoraInit {
    @Override
    public String name() {
        return iterations == 0 ? "pissa" : "pissa_niter_" + iterations;
    }

    @Override
    public Offset offset() {
        return iterations == 0 ? Offset.OF_BASE : Offset.OF_DATA;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), r);
        Svd svd =
                iterations == 0 ? Svd.of(context.weight()) : Svd.first(context.weight(), r, iterations, context.rng());
        return svd.narrow(0, r).factors(context.scaling());
    }
}
