package dev.graft.peft.methods.reft;

import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import tools.jackson.databind.node.ObjectNode;

/** A method that edits hidden states after layers by a {@link ReftConfig}. */
public sealed interface ReftMethod extends Method permits LoReft, NoReft, DiReft {
    ReftConfig config();

    @Override
    default void graft(Grafter g) {
        config().graft(g);
    }

    @Override
    default void write(ObjectNode c, Base base) {
        config().write(c);
    }
}
