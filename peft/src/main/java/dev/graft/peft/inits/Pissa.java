package dev.graft.peft.inits;

/**
 * PiSSA (Meng et al., 2024): the first r singular triplets of the base's weight, {@code s · B A = U[:, :r] S[:r] V[:r]}; what stays
 * frozen is the rest. With {@code pissa_niter_N} they are found by N subspace iterations, faster for large weights and not the same
 * every time, so a file can't leave them to be found again.
 *
 * @param iterations N, or 0 for a whole decomposition
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
    public Factors factors(Place place) {
        int r = place.rank();
        place.requireRank(this, r);
        Svd svd = iterations == 0 ? Svd.of(place.weight()) : Svd.first(place.weight(), r, iterations, place.rng());
        return svd.narrow(0, r).factors(place.scaling());
    }
}
