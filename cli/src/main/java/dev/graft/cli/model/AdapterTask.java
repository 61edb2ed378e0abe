package dev.graft.cli.model;

import dev.graft.eval.run.ServingRecord;
import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An adapter as it is named on the command line, with the task that it is to act for: {@code runs/many/adapter#nli}.
 *
 * @param task its name or its number; null where none is chosen
 */
record AdapterTask(String adapter, @Nullable String task) {
    static AdapterTask of(String given) {
        int mark = given.lastIndexOf('#');
        return mark < 0 || Files.exists(Path.of(given))
                ? new AdapterTask(given, null)
                : new AdapterTask(given.substring(0, mark), given.substring(mark + 1));
    }

    /** The loaded adapter as it acts for the task. */
    Adapter of(Adapter loaded, Path folder) {
        if (task == null) {
            return loaded;
        }
        List<String> names = ServingRecord.read(folder).tasks();
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
