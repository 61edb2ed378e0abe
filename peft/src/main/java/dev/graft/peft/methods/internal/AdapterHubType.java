package dev.graft.peft.methods.internal;

import dev.graft.formats.Fields;
import dev.graft.peft.Method;

/** A method in AdapterHub's folders, identified by the {@code architecture} of its configuration. */
public interface AdapterHubType extends Method.Type {
    @Override
    default Method.Layout layout() {
        return Method.Layout.ADAPTER_HUB;
    }

    @Override
    default boolean matches(Fields config) {
        return AdapterHubFields.isOf(config, peftType());
    }
}
