package dev.graft.cli.model;

import dev.graft.formats.InputException;
import dev.graft.run.config.Columns;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option {@code --columns}: the columns of a file by the parts of its rows. */
public final class ColumnsOption {

    @Option(
            names = {"--columns", "--data.columns"},
            paramLabel = "MAP",
            description = {
                "Fields of the file for the names that rows have here, such as",
                "\"{text: review, label: sentiment}\" (default: as the adapter was trained)."
            })
    private @Nullable String columns;

    /**
     * Checks that the option isn't given for rows that come from no file.
     *
     * @throws InputException if it is given
     */
    public void refuseWithoutFile() {
        if (columns != null) {
            throw new InputException(
                    "--columns says which fields of a file are which parts of its rows; leave it out, or give --data");
        }
    }

    /** Returns the columns by the parts of a row; null if the option isn't given. */
    public @Nullable Map<String, String> columns() {
        return columns == null ? null : Columns.read("--columns", columns);
    }
}
