package dev.graft.peft.inits;

/**
 * MiLoRA (Wang et al., 2024): the last r singular triplets of the base's weight are trained and the principal ones stay frozen, so that
 * training disturbs little of what the base knows. PEFT doesn't have it; files hold a plain LoRA of twice the rank.
 */
record Milora() implements LoraInit {
    @Override
    public String name() {
        return "milora";
    }

    @Override
    public Offset offset() {
        return Offset.OF_DATA;
    }

    @Override
    public Factors factors(Place place) {
        int r = place.rank();
        place.requireRank(this, r);
        Svd svd = Svd.of(place.weight());
        return svd.narrow(svd.s().size(0) - r, r).factors(place.scaling());
    }
}
