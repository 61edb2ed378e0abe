package dev.graft.peft;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/** The registered methods. */
public final class Methods {
    private static final List<Method.Type> ALL =
            ServiceLoader.load(Method.Type.class, Methods.class.getClassLoader()).stream()
                    .map(ServiceLoader.Provider::get)
                    .sorted(Comparator.comparing(Method.Type::name))
                    .toList();

    private Methods() {}

    /** Returns all methods, by name. */
    public static List<Method.Type> all() {
        return ALL;
    }

    /**
     * Returns the method of that name.
     *
     * @throws dev.graft.formats.InputException for an unknown name
     */
    public static Method.Type named(String name) {
        List<String> names = new ArrayList<>();
        for (Method.Type type : ALL) {
            if (type.name().equals(name)) {
                return type;
            }
            names.add(type.name());
        }
        throw new InputException("method is \"" + name + "\", expected one of " + String.join(", ", names));
    }
}
