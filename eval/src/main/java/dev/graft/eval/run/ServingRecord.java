package dev.graft.eval.run;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.data.Label;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code graft.json} of an adapter's folder says about its use, beside the base's fingerprint: PEFT's files have no place for it.
 *
 * @param task what the head is for, where PEFT has no name for it; else null
 * @param kind what a classifier's answers are; null for a causal model or where the folder doesn't say
 * @param labels the names of a classifier's outputs
 * @param leavesOpen whether texts may leave questions open
 * @param tokenizer SHA-256 of the tokenizer's files; null where there are none
 * @param taskField the field in which rows name their tasks; null for an adapter of one
 * @param tasks the names of its tasks, in the order of their numbers
 * @param rows how the run read its rows
 */
public record ServingRecord(
        @Nullable Task task,
        Label.@Nullable Kind kind,
        List<String> labels,
        boolean leavesOpen,
        @Nullable String tokenizer,
        @Nullable String taskField,
        List<String> tasks,
        RowsRecord rows) {
    /** Of a folder without Graft's file. */
    public static final ServingRecord NONE = new ServingRecord(null, null, List.of(), false, null);

    private static final String FILE = "graft.json";
    private static final String TASK = "task";
    private static final String KIND = "problem_type";
    private static final String TASKS = "tasks";
    private static final String TASK_FIELD = "task_field";
    private static final String OPEN = "leaves_questions_open";

    public ServingRecord {
        labels = List.copyOf(labels);
        tasks = List.copyOf(tasks);
    }

    /** Of an adapter of one task. */
    public ServingRecord(
            @Nullable Task task,
            Label.@Nullable Kind kind,
            List<String> labels,
            boolean leavesOpen,
            @Nullable String tokenizer) {
        this(task, kind, labels, leavesOpen, tokenizer, null, List.of(), RowsRecord.NONE);
    }

    /** The same for rows that name these tasks in a field; null for rows of one task. */
    public ServingRecord withTasks(@Nullable String field, List<String> names) {
        return new ServingRecord(task, kind, labels, leavesOpen, tokenizer, field, names, rows);
    }

    /** The same for rows that were read so. */
    public ServingRecord withRows(RowsRecord read) {
        return new ServingRecord(task, kind, labels, leavesOpen, tokenizer, taskField, tasks, read);
    }

    /** What a run has to say about its adapter. */
    public static ServingRecord of(RunData data, Base base, Path files) {
        Task task = data.task();
        return new ServingRecord(
                task.isPefts() ? null : task,
                data.kind(),
                data.names(),
                data.leavesOpen(),
                TokenizerFiles.sha256(files));
    }

    /** Adds this to an adapter's folder. */
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
        if (leavesOpen) {
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

    /** What an adapter's folder says; without Graft's file, nothing. */
    public static ServingRecord read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return NONE;
        }
        Fields fields = Fields.read(file);
        String kind = fields.stringOrNull(KIND);
        List<String> labels = fields.stringsOrNull("labels");
        String task = fields.stringOrNull(TASK);
        List<String> tasks = fields.stringsOrNull(TASKS);
        return new ServingRecord(
                task == null ? null : Task.of(task),
                kind == null ? null : kind(fields, kind),
                labels == null ? List.of() : labels,
                fields.bool(OPEN, false),
                fields.stringOrNull("tokenizer_sha256"),
                fields.stringOrNull(TASK_FIELD),
                tasks == null ? List.of() : tasks,
                RowsRecord.read(fields));
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
        throw fields.wrong(
                KIND, "regression, single_label_classification, multi_label_classification or token_classification");
    }
}
