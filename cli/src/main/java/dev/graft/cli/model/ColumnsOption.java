package dev.graft.cli.model;

import dev.graft.cli.config.Columns;
import dev.graft.formats.InputException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** {@code --columns}: which fields of a file are which parts of its rows. */
public final class ColumnsOption {

    @Option(
            names = {"--columns", "--data.columns"},
            paramLabel = "MAP",
            description = {
                "Fields of the file for the names that rows have here, such as",
                "\"{text: review, label: sentiment}\" (default: as the adapter was trained)."
            })
    private @Nullable String columns;

    /** Refuses the option where rows come from no file. */
    public void refuseWithoutFile() {
        if (columns != null) {
            throw new InputException(
                    "--columns says which fields of a file are which parts of its rows; leave it out, or give --data");
        }
    }

    boolean isGiven() {
        return columns != null;
    }

    /**
     * The fields by the parts of a row.
     *
     * @param recorded what holds where the option isn't given
     */
    public Map<String, String> or(Map<String, String> recorded) {
        return columns == null ? recorded : Columns.read("--columns", columns);
    }
}
