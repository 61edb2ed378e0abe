package dev.graft.run.config;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The sources of rows, and the choice among them. */
public record DataSourceOptions(
        @ConfigOption(
                value = "Training rows: a file, a pattern of files such as data/*.jsonl.gz, a folder with train, valid"
                        + " and test files, pictures in class folders, or a data set that `graft pull --list`"
                        + " names",
                required = true,
                example = "data/train.jsonl",
                aliases = {"data", "dataset", "train_file", "data.json_path"})
        String train,

        @ConfigOption(
                value = "Validation rows",
                unset = "the folder's valid file, or data.valid_fraction of the training rows",
                example = "data/valid.jsonl",
                aliases = {"validation_file", "val_file"})
        @Nullable
        String valid,

        @ConfigOption(
                value = "Test rows, scored once at the end",
                unset = "the folder's test file",
                example = "data/test.jsonl",
                aliases = {"test_file"})
        @Nullable
        String test,

        @ConfigOption(
                value = "Share of the training rows held out for validation where there is no data.valid",
                byDefault = "0.0",
                example = "0.1",
                aliases = {"data.val_split_fraction", "val_size", "val_set_size"},
                min = 0,
                below = 1)
        double validFraction,

        @ConfigOption(
                value = "Format of the files; auto looks at them and says what it found",
                byDefault = "auto",
                example = "csv")
        Format format,

        @ConfigOption(
                value = "Field of the text to classify",
                byDefault = "text",
                example = "sentence",
                aliases = {"text_column"})
        String textField,

        @ConfigOption(
                value = "Field of a second text, for tasks on pairs",
                unset = "rows have one text",
                example = "hypothesis",
                aliases = {"text_pair_column"})
        @Nullable
        String textPairField,

        @ConfigOption(
                value = "Field of the picture's file, from the data file's folder on",
                byDefault = "image",
                example = "path",
                aliases = {"image_column"})
        String imageField,

        @ConfigOption(
                value = "Field of the label",
                byDefault = "label",
                example = "class",
                aliases = {"label_column"})
        String labelField,

        @ConfigOption(
                value = "Field in which each row names its task, for methods that learn several at once",
                unset = "rows are of one task",
                example = "task",
                aliases = {"task_column"})
        @Nullable
        String taskField,

        @ConfigOption(
                value = "Fields of the file for the names that rows have here",
                byDefault = "{}",
                example = "{prompt: question, completion: answer}")
        Map<String, Object> columns,

        @ConfigOption(
                value = "Task of a benchmark whose official files data.train is the folder of, or `twin` for generated"
                        + " ones",
                unset = "data.train has rows of its own",
                example = "glue/rte")
        @Nullable
        String suite,

        @ConfigOption(
                value = "Most rows to train on, chosen by their hashes",
                unset = "all",
                example = "1000",
                aliases = {"max_samples", "max_train_samples"},
                min = 1)
        @Nullable
        Integer maxTrainRows,

        @ConfigOption(
                value = "Most rows to validate and most to test on, chosen by their hashes",
                unset = "all",
                example = "500",
                aliases = {"max_eval_samples"},
                min = 1)
        @Nullable
        Integer maxEvalRows,

        @ConfigOption(
                value = "Rows of each class to train on, and as many to validate on: few-shot learning",
                unset = "all",
                example = "16",
                min = 1)
        @Nullable
        Integer shots,

        @ConfigOption(
                value = "Leave out training rows that repeat another one, or that are validation or test rows too",
                byDefault = "false",
                example = "true",
                aliases = {"dedupe"})
        boolean dedupe) {

    public enum Format {
        AUTO,
        JSONL,
        CSV,
        TSV,
        PARQUET
    }
}
