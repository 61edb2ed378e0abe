package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.peft.Method;

/** A method in AdapterHub's folders, whose configurations say by their {@code architecture} what they are of. */
interface AdapterHubType extends Method.Type {
    @Override
    default Method.Layout layout() {
        return Method.Layout.ADAPTER_HUB;
    }

    @Override
    default boolean reads(Fields config) {
        return AdapterHubFields.isOf(config, peftType());
    }
}
