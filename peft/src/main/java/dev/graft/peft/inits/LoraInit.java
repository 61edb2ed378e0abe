package dev.graft.peft.inits;

import dev.graft.peft.Factors;
import tools.jackson.databind.node.ObjectNode;

/**
 * The initialisation of A {@code [r, in]} and B {@code [out, r]} of a linear layer: {@code init_lora_weights}. On an
 * embedding A starts at zero and B normal, except for {@code false}, where both are normal.
 */
public interface LoraInit {
    /** The treatment of the base's own part in A and B. */
    enum Offset {
        /** None: B A is zero at the start, or is meant to change the base. */
        NONE,
        /** The part is subtracted; loading an adapter recomputes it from the base's weight alone. */
        OF_BASE,
        /**
         * The part is subtracted but can't be recomputed: files have a plain LoRA of twice the rank, [A; A₀] and [B, -B₀].
         */
        OF_DATA
    }

    /** The value of {@code init_lora_weights}. */
    String name();

    /** Returns A and B for a layer. */
    Factors factors(InitContext context);

    /** Returns the treatment of the base's own part in A and B. */
    default Offset offset() {
        return Offset.NONE;
    }

    /** Returns whether B is trained. */
    default boolean trainsB() {
        return true;
    }

    /** Returns whether it needs calibration data. */
    default boolean needsData() {
        return false;
    }

    /** Writes its settings besides the name. */
    default void write(ObjectNode config) {}
}
