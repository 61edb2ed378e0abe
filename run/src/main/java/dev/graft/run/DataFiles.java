package dev.graft.run;

import dev.graft.eval.suites.Suite;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.run.config.Columns;
import dev.graft.run.config.DataSourceOptions;
import dev.graft.run.config.RunConfig;
import dev.graft.run.config.RunConfig.ProblemType;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.PackagedDataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Opens the rows of a run from its files. */
public record DataFiles(DataSourceOptions data, DataOptions options) {
    public static DataFiles of(DataSourceOptions data, RunConfig.Goal goal) {
        return new DataFiles(data, options(data, goal));
    }

    @SuppressWarnings("NullAway") // the kind of labels may be null: NullAway doesn't see it in a compiled record
    private static DataOptions options(DataSourceOptions data, RunConfig.Goal goal) {
        Map<String, String> columns = new LinkedHashMap<>();
        column(columns, "text", data.textField());
        column(columns, "image", data.imageField());
        column(columns, "label", data.labelField());
        String pair = data.textPairField();
        if (pair != null) {
            columns.put("text_pair", pair);
        }
        Columns.checked("data.columns", data.columns()).forEach((part, name) -> {
            String other = columns.put(part, name);
            if (other != null && !other.equals(name)) {
                throw new InputException("data.columns maps " + part + " to " + name + ", but it is also given as "
                        + other + "; give it once");
            }
        });
        return DataOptions.of(goal.task().shape(), columns)
                .withLabels(kind(goal.problemType()))
                .withTaskField(data.taskField());
    }

    private static void column(Map<String, String> columns, String name, String field) {
        if (!field.equals(name)) {
            columns.put(name, field);
        }
    }

    private static Label.@Nullable Kind kind(ProblemType problem) {
        return switch (problem) {
            case AUTO -> null;
            case SINGLE_LABEL -> Label.Kind.ONE;
            case MULTI_LABEL -> Label.Kind.MANY;
            case REGRESSION -> Label.Kind.SCORE;
        };
    }

    /** Opens the training, validation and test rows; the caller closes the result. */
    public Splits open() {
        Splits splits = splits();
        boolean complete = false;
        try {
            check(splits);
            complete = true;
            return splits;
        } finally {
            if (!complete) {
                splits.close();
            }
        }
    }

    private Splits splits() {
        String suite = data.suite();
        if (suite != null) {
            return Suite.open(suite, data.train(), new Hub());
        }
        PackagedDataset dataset = PackagedDataset.find(data.train()).orElse(null);
        Path train = dataset == null ? existing("data.train", data.train()) : dataset.open(new Hub());
        Path valid = data.valid() == null ? null : existing("data.valid", data.valid());
        Path test = data.test() == null ? null : test(data.test());
        if (dataset != null && valid == null && test != null && Files.exists(train.resolve("train.jsonl"))) {
            return Splits.open(train.resolve("train.jsonl"), train.resolve("validation.jsonl"), test, options);
        }
        if (valid == null && test == null) {
            return Splits.open(train, options);
        }
        if (Files.isDirectory(train) && Splits.hasSplits(train)) {
            throw new InputException("data.train is the folder " + train
                    + ", whose own files are used; name a file, or leave out data.valid and data.test");
        }
        return Splits.open(train, valid, test, options);
    }

    private static Path test(String name) {
        return PackagedDataset.find(name)
                .map(dataset -> dataset.test(new Hub()))
                .orElseGet(() -> existing("data.test", name));
    }

    /**
     * Opens the test rows of another data set, or the rows of a file, limited in number as the config says.
     *
     * @param name the name of a data set, or a file
     * @param like rows of the same task, whose shape and labels it must have
     */
    public Rows testRows(String name, Dataset like) {
        return Splits.fewest(Dataset.open(test(name), like.like(options)), data.maxEvalRows());
    }

    /** Limits rows as the config says: a number for each class, and a number in all. */
    public static Splits limited(DataSourceOptions data, Splits splits) {
        Splits few = data.shots() == null ? splits : splits.fewShot(data.shots());
        return few.limited(data.maxTrainRows(), data.maxEvalRows());
    }

    private static Path existing(String key, String name) {
        Path path = Path.of(name);
        if (!Files.exists(path) && !name.matches(".*[*?\\[{].*")) {
            throw new InputException(key + " is " + name + ": no such file or folder"
                    + (path.isAbsolute()
                            ? ""
                            : " in " + Path.of("").toAbsolutePath()
                                    + ", to which paths are relative, those of recipes too"));
        }
        return path;
    }

    private void check(Splits splits) {
        for (Rows rows : Arrays.asList(splits.train(), splits.validation(), splits.test())) {
            if (rows instanceof Dataset dataset) {
                checkFormat(dataset);
            }
        }
        RowShape shape = ((Dataset) splits.train()).shape();
        for (String part : options.columns().keySet()) {
            if (!shape.keys().contains(part) && !shape.optional().contains(part)) {
                throw new InputException(splits.train().place(0) + ": the rows are " + shape.title()
                        + ", which have no " + part + "; leave out the option of data that maps it");
            }
        }
    }

    /** Formats are found out by content, so a wrong one is a wrong file. */
    private void checkFormat(Dataset dataset) {
        if (data.format() == DataSourceOptions.Format.AUTO) {
            return;
        }
        String found = dataset.detected().split(",", 2)[0];
        String wanted = data.format().name();
        if (!found.toUpperCase(Locale.ROOT).startsWith(wanted)) {
            throw new InputException(
                    "data.format is " + wanted.toLowerCase(Locale.ROOT) + ", but " + dataset.path() + " is " + found);
        }
    }
}
