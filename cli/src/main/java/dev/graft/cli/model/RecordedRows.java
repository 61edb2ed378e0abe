package dev.graft.cli.model;

import dev.graft.eval.run.ServingRecord;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Splits;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Rows of a file, read as those were that the first adapter was trained on. */
public record RecordedRows(ColumnsOption columns, List<String> adapters) {

    /** What the first adapter's folder says of its use. */
    public static ServingRecord record(List<String> adapters) {
        return adapters.isEmpty()
                ? ServingRecord.NONE
                : ServingRecord.read(AdapterHeader.folder(adapters.get(0), new Hub()));
    }

    /** Opens rows with answers; the kind of their labels is the adapter's, which a few rows may not tell. */
    @SuppressWarnings("NullAway") // the kind of labels may be null: NullAway doesn't see it in a compiled record
    public Dataset toScore(Path path) {
        ServingRecord record = record(adapters);
        Map<String, String> fields = columns.or(record.rows().columns());
        return open(path, new DataOptions(fields, null, record.kind(), record.taskField()));
    }

    /** Opens rows whose answers may be missing. */
    public Dataset toAnswer(Path path) {
        return open(path, DataOptions.asked(columns.or(record(adapters).rows().columns())));
    }

    private Dataset open(Path path, DataOptions options) {
        try {
            return Dataset.open(Splits.scored(path), options);
        } catch (InputException refused) {
            if (columns.isGiven() || options.columns().isEmpty()) {
                throw refused;
            }
            throw new InputException(
                    refused.getMessage() + "\nThe fields are those that " + adapters.get(0)
                            + " was trained with; say others with --columns, or --columns \"{}\" for the usual names",
                    refused);
        }
    }
}
