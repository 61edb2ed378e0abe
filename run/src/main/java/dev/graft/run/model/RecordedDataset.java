package dev.graft.run.model;

import dev.graft.eval.run.ServingMetadata;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Opens files with the options that the first adapter was trained with.
 *
 * @param columns the columns by the parts of a row; null for those that the adapter records
 * @param adapters the folders of the adapters
 */
public record RecordedDataset(@Nullable Map<String, String> columns, List<String> adapters) {

    /** Returns the metadata in the first adapter's folder. */
    public static ServingMetadata record(List<String> adapters) {
        return adapters.isEmpty()
                ? ServingMetadata.NONE
                : ServingMetadata.read(AdapterHeader.folder(adapters.get(0), new Hub()));
    }

    /**
     * Opens rows with answers. Their kind of labels is the adapter's, which can't always be detected from a few rows.
     */
    @SuppressWarnings("NullAway") // the kind of labels may be null: NullAway doesn't see it in a compiled record
    public Dataset toScore(Path path) {
        ServingMetadata metadata = record(adapters);
        Map<String, String> fields = chosen(metadata);
        return open(
                path, DataOptions.labelled(metadata.kind()).withColumns(fields).withTaskField(metadata.taskField()));
    }

    /** Opens rows whose answers may be missing. */
    public Dataset toAnswer(Path path) {
        return open(path, DataOptions.promptOnly(chosen(record(adapters))));
    }

    private Map<String, String> chosen(ServingMetadata metadata) {
        return columns == null ? metadata.rows().columns() : columns;
    }

    private Dataset open(Path path, DataOptions options) {
        try {
            return Dataset.open(Splits.scored(path), options);
        } catch (InputException refused) {
            if (columns != null || options.columns().isEmpty()) {
                throw refused;
            }
            throw new InputException(
                    refused.getMessage() + "\nThe fields are those that " + adapters.get(0)
                            + " was trained with; say others with --columns, or --columns \"{}\" for the usual names",
                    refused);
        }
    }
}
