package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;

/** Methods by the reference library's names for them. */
final class MethodTypes {
    private MethodTypes() {}

    /** Refuses a type that no method has. */
    static void require(String peftType) {
        if (Methods.all().stream().noneMatch(type -> type.peftType().equals(peftType))) {
            throw new NotCoveredException("there is no method of the type " + peftType);
        }
    }

    /** The registered method that reads such a configuration. */
    static Method.Type of(String peftType, Fields config) {
        for (Method.Type type : Methods.all()) {
            if (type.layout() != Method.Layout.ADAPTER_HUB
                    && type.peftType().equals(peftType)
                    && type.matches(config)) {
                return type;
            }
        }
        throw new NotCoveredException("there is no method of the type " + peftType);
    }
}
