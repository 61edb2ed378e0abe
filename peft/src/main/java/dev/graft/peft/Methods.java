package dev.graft.peft;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/** The methods that are registered. */
public final class Methods {
    private Methods() {}

    /** All of them, by name. */
    public static List<Method.Type> all() {
        List<Method.Type> types = new ArrayList<>();
        ServiceLoader.load(Method.Type.class, Methods.class.getClassLoader()).forEach(types::add);
        types.sort(Comparator.comparing(Method.Type::name));
        return types;
    }

    /** The method of that name. */
    public static Method.Type named(String name) {
        List<String> names = new ArrayList<>();
        for (Method.Type type : all()) {
            if (type.name().equals(name)) {
                return type;
            }
            names.add(type.name());
        }
        throw new InputException("method is \"" + name + "\", expected one of " + String.join(", ", names));
    }
}
