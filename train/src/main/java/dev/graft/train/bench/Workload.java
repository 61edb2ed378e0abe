package dev.graft.train.bench;

import dev.graft.formats.Fields;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Rows of token ids with labels, from a file with one JSON object a line: {@code {"input_ids": [...], "labels": [...]}} for a causal model,
 * where -100 is a position without a label, or {@code {"input_ids": [...], "label": 3}} for a classifier.
 *
 * <pre>{@code
 * Workload work = Workload.read(Path.of("causal.jsonl"), Task.CAUSAL_LM);
 * work.requireFits(base);
 * List<List<Example>> batches = Recipe.TUNED.batches(work.examples(), 4, 15);
 * }</pre>
 *
 * @param classes one more than the largest label of a classifier; 0 for a causal model
 */
public record Workload(Path file, List<Example> examples, int classes) {
    /**
     * Reads a file of rows.
     *
     * @param task {@link Task#CAUSAL_LM} or {@link Task#SEQ_CLS}
     * @throws InputException naming the first line that is wrong
     */
    public static Workload read(Path file, Task task) {
        if (task != Task.CAUSAL_LM && task != Task.SEQ_CLS) {
            throw new IllegalArgumentException("there are no workloads for " + task);
        }
        if (!Files.isRegularFile(file)) {
            throw new FormatException(file, Files.exists(file) ? "is not a file" : "there is no such file");
        }
        List<Example> examples = new ArrayList<>();
        int classes = 0;
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String place = file + ":" + (examples.size() + 1);
                Example example = example(Fields.of(place, Json.parse(place, line)), examples.size(), task);
                examples.add(example);
                if (example.target() instanceof Target.ClassId label) {
                    classes = Math.max(classes, Math.addExact(label.id(), 1));
                }
            }
        } catch (CharacterCodingException e) {
            throw new FormatException(file.toString(), "is not UTF-8", e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
        if (examples.isEmpty()) {
            throw new FormatException(file, "has no rows");
        }
        if (classes == 1) {
            throw new FormatException(file, "every label is 0, so there is nothing to tell apart");
        }
        return new Workload(file, List.copyOf(examples), classes);
    }

    private static Example example(Fields row, int index, Task task) {
        int[] ids = integers(row, "input_ids");
        if (ids.length == 0 || IntStream.of(ids).anyMatch(id -> id < 0)) {
            throw row.invalid("input_ids", "at least one token id, none below 0");
        }
        Target target;
        if (task == Task.CAUSAL_LM) {
            int[] labels = integers(row, "labels");
            if (labels.length != ids.length || IntStream.of(labels).anyMatch(id -> id < 0 && id != Target.NONE)) {
                throw row.invalid(
                        "labels", "an id or " + Target.NONE + " for each of the " + ids.length + " input_ids");
            }
            target = new Target.Tokens(labels);
        } else {
            target = new Target.ClassId(row.integer("label"));
            if (row.integer("label") < 0 || row.integer("label") == Integer.MAX_VALUE) {
                throw row.invalid("label", "the number of a class, 0 or more");
            }
        }
        row.rejectUnread("A row has input_ids and labels (causal) or label (classify).");
        return new Example(index, ids, null, target);
    }

    private static int[] integers(Fields row, String name) {
        @Nullable List<Integer> values = row.integersOrNull(name);
        if (values == null) {
            throw row.invalid(name, "a list of integers");
        }
        return values.stream().mapToInt(Integer::intValue).toArray();
    }

    /**
     * Checks that every id is in the base's vocabulary and every row within its maximum length.
     *
     * @throws InputException naming the line that doesn't fit
     */
    public void requireFits(Base base) {
        int vocabulary = base.backbone().vocabSize();
        int longest = base.backbone().maxPositions();
        for (Example example : examples) {
            String place = file + ":" + (example.row() + 1);
            if (example.length() > longest) {
                throw new InputException(place + ": the row has " + example.length() + " tokens, " + base.name()
                        + " takes at most " + longest);
            }
            int largest = IntStream.of(example.ids()).max().orElse(0);
            if (example.target() instanceof Target.Tokens tokens) {
                largest = Math.max(largest, IntStream.of(tokens.labels()).max().orElse(0));
            }
            if (largest >= vocabulary) {
                throw new InputException(place + ": token id " + largest + " is not below " + vocabulary
                        + ", the vocabulary of " + base.name());
            }
        }
    }
}
