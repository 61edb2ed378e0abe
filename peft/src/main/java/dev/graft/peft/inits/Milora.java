package dev.graft.peft.inits;

import dev.graft.peft.Factors;

/**
 * MiLoRA (Wang et al., 2024): the last r singular triplets of the base's weight are trained and the principal ones stay frozen, so training
 * preserves most of the base's knowledge. PEFT lacks it; files contain a plain LoRA of twice the rank.
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
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), r);
        Svd svd = Svd.of(context.weight());
        return svd.narrow(svd.s().size(0) - r, r).factors(context.scaling());
    }
}
