package dev.graft.peft.methods.reft;

import dev.graft.peft.Method;

/**
 * LoReFT (Wu et al., 2024) as AdapterHub has it: after a layer the hidden states h of the first and the last few positions become
 * {@code h + Rᵀ (W h + b - R h)}, with {@code R [r, hidden]} of orthonormal rows and {@code W [r, hidden]}; one unit for the first positions,
 * another for the last, or one for both. Positions don't count padding; where first and last overlap, the last win. R is parametrised by
 * Householder reflections, see {@link Householder}.
 *
 * <p>Trained: 2 · r · hidden + r for each unit and layer. R starts as rows of a random orthogonal matrix, W and b as {@code nn.Linear}: a new
 * adapter isn't the identity. Files, in AdapterHub's layout: {@code <layer>.reft_layer.refts.NAME.units.{0,1}.learned_source.{weight,bias}},
 * {@code .projection.parametrizations.weight.original}, {@code .projection.parametrizations.weight.0.base}. Doesn't merge. Use it if very few
 * values may be trained and prompts are short and similar.
 *
 * <p>With a cache the text is the input of the first call. Later calls edit only positions that are still among the first ones. So generation
 * equals passes without a cache in which the last positions are those of the prompt. Training on whole texts edits the ends of the answers
 * instead, so {@code suffix_positions} fit classification better than generation.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, LoReft.DEFAULT, 42);
 * }</pre>
 */
public record LoReft(ReftConfig config) implements ReftMethod {
    /** Four directions at the first four positions after every layer. */
    public static final LoReft DEFAULT = new LoReft(ReftConfig.DEFAULT);

    public LoReft {
        Kind.INSTANCE.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code loreft}. */
    public static final class Kind extends ReftConfig.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    "loreft",
                    "edits hidden states at the first and last positions in a few trained directions",
                    (orthogonal, subtract) -> orthogonal && subtract,
                    LoReft::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
