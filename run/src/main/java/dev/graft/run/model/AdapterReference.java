package dev.graft.run.model;

import dev.graft.eval.run.ServingMetadata;
import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An adapter on the command line with the task to use: {@code runs/many/adapter#nli}.
 *
 * @param adapter the folder or source of the adapter
 * @param task the name or number of the task; null for none
 */
record AdapterReference(String adapter, @Nullable String task) {
    static AdapterReference of(String given) {
        int mark = given.lastIndexOf('#');
        return mark < 0 || Files.exists(Path.of(given))
                ? new AdapterReference(given, null)
                : new AdapterReference(given.substring(0, mark), given.substring(mark + 1));
    }

    /** Returns the loaded adapter with the task selected. */
    Adapter of(Adapter loaded, Path folder) {
        if (task == null) {
            return loaded;
        }
        List<String> names = ServingMetadata.read(folder).tasks();
        int number = names.indexOf(task);
        if (number < 0 && task.matches("[0-9]{1,6}")) {
            number = Integer.parseInt(task);
        }
        if (number < 0 || number >= loaded.tasks()) {
            throw new InputException(adapter + " has no task \"" + task + "\", it knows "
                    + (names.isEmpty() ? "0 to " + (loaded.tasks() - 1) : String.join(", ", names)));
        }
        return loaded.task(number);
    }
}
