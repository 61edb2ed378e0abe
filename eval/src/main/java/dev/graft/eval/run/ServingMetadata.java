package dev.graft.eval.run;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.data.Label;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The part of an adapter's {@code graft.json} that is needed to use it and has no place in PEFT's files.
 *
 * @param task the task of the head if PEFT has no name for it; else null
 * @param kind the kind of a classifier's labels; null for a causal model or if unknown
 * @param labels the names of a classifier's outputs
 * @param hasUnanswerable true if questions may have no answer
 * @param tokenizer the SHA-256 of the tokenizer's files; null if there are none
 * @param taskField the field in which rows name their tasks; null for an adapter of one task
 * @param tasks the names of its tasks, in the order of their numbers
 * @param rows the options with which the run read its rows
 */
@RecordBuilder
public record ServingMetadata(
        @Nullable Task task,
        Label.@Nullable Kind kind,
        List<String> labels,
        boolean hasUnanswerable,
        @Nullable String tokenizer,
        @Nullable String taskField,
        List<String> tasks,
        DataMetadata rows)
        implements ServingMetadataBuilder.With {
    /** The metadata of a folder without Graft's file. */
    public static final ServingMetadata NONE = new ServingMetadata(null, null, List.of(), false, null);

    private static final String FILE = "graft.json";
    private static final String TASK = "task";
    private static final String KIND = "problem_type";
    private static final String TASKS = "tasks";
    private static final String TASK_FIELD = "task_field";
    private static final String OPEN = "leaves_questions_open";

    public ServingMetadata {
        labels = List.copyOf(labels);
        tasks = List.copyOf(tasks);
    }

    /** Returns the metadata of an adapter of one task. */
    public ServingMetadata(
            @Nullable Task task,
            Label.@Nullable Kind kind,
            List<String> labels,
            boolean leavesOpen,
            @Nullable String tokenizer) {
        this(task, kind, labels, leavesOpen, tokenizer, null, List.of(), DataMetadata.NONE);
    }

    /** Returns the metadata of a run's adapter. */
    public static ServingMetadata of(TaskSpec taskSpec, Base base, Path files) {
        Task task = taskSpec.task();
        return new ServingMetadata(
                task.isPeftTask() ? null : task,
                taskSpec.kind(),
                taskSpec.names(),
                taskSpec.hasUnanswerable(),
                TokenizerDigest.sha256(files));
    }

    /** Writes the metadata into {@code graft.json} of an adapter's folder. */
    public void write(Path folder) {
        Path file = folder.resolve(FILE);
        ObjectNode json = (ObjectNode) Json.read(file);
        if (task != null) {
            json.put(TASK, task.name());
        }
        if (kind != null) {
            json.put(KIND, name(kind));
            ArrayNode names = json.putArray("labels");
            labels.forEach(names::add);
        }
        if (hasUnanswerable) {
            json.put(OPEN, true);
        }
        if (tokenizer != null) {
            json.put("tokenizer_sha256", tokenizer);
        }
        if (taskField != null) {
            json.put(TASK_FIELD, taskField);
            tasks.forEach(json.putArray(TASKS)::add);
        }
        rows.write(json);
        AtomicWrite.text(file, Json.pretty(json) + "\n");
    }

    /** Reads the metadata of an adapter's folder; returns {@link #NONE} without Graft's file. */
    public static ServingMetadata read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return NONE;
        }
        Fields fields = Fields.read(file);
        String kind = fields.stringOrNull(KIND);
        List<String> labels = fields.stringsOrNull("labels");
        String task = fields.stringOrNull(TASK);
        List<String> tasks = fields.stringsOrNull(TASKS);
        return new ServingMetadata(
                task == null ? null : Task.of(task),
                kind == null ? null : kind(fields, kind),
                labels == null ? List.of() : labels,
                fields.bool(OPEN, false),
                fields.stringOrNull("tokenizer_sha256"),
                fields.stringOrNull(TASK_FIELD),
                tasks == null ? List.of() : tasks,
                DataMetadata.read(fields));
    }

    private static String name(Label.Kind kind) {
        return switch (kind) {
            case ONE -> "single_label_classification";
            case MANY -> "multi_label_classification";
            case EACH -> "token_classification";
            case SCORE -> "regression";
        };
    }

    private static Label.Kind kind(Fields fields, String name) {
        for (Label.Kind kind : Label.Kind.values()) {
            if (name(kind).equals(name.toLowerCase(Locale.ROOT))) {
                return kind;
            }
        }
        throw fields.invalid(
                KIND, "regression, single_label_classification, multi_label_classification or token_classification");
    }
}
