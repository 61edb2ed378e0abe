package dev.graft.run.model;

import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.hub.Hub;
import dev.graft.models.Task;
import dev.graft.run.progress.RunListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The facts in an adapter's files before its base is loaded: the head that the base needs.
 *
 * @param task PEFT's task type, Graft's name where PEFT has none, or null
 * @param labels the names of a classifier's outputs; empty without a classifier
 */
public record AdapterHeader(Path folder, @Nullable String task, List<String> labels) {

    private static final List<String> FILES =
            List.of("adapter_model.safetensors", "adapter.safetensors", "model_head.safetensors");

    private static final Map<String, Task> HEADS = Map.of(
            "ForSequenceClassification", Task.SEQ_CLS,
            "ForTokenClassification", Task.TOKEN_CLS,
            "ForMultipleChoice", Task.MULTIPLE_CHOICE,
            "ForQuestionAnswering", Task.QUESTION_ANS,
            "ForMaskedLM", Task.MASKED_LM,
            "ForImageClassification", Task.IMAGE_CLS,
            "ForSemanticSegmentation", Task.SEMANTIC_SEG,
            "ForCausalLM", Task.CAUSAL_LM,
            "ForConditionalGeneration", Task.SEQ_2_SEQ_LM);

    /**
     * Returns the folder of an adapter that is named by a folder or a source of the hub.
     *
     * @throws InputException if there is none
     */
    public static Path folder(String given, Hub hub) {
        String adapter = AdapterReference.of(given).adapter();
        if (adapter.matches("(hf|maven|pypi|file):.*")) {
            return hub.fetch(adapter);
        }
        Path folder = Path.of(adapter);
        if (!Files.exists(folder)) {
            throw new InputException(adapter + ": no such adapter; expected a folder with adapter_config.json"
                    + (adapter.matches("[\\w.-]+/[\\w.-]+(@.+)?") ? ", or hf:" + adapter + " for the hub" : ""));
        }
        return folder;
    }

    /**
     * Returns the base that adapters were trained on, in the form of {@code --model}.
     *
     * @throws InputException if they name none, or different ones
     */
    public static String base(List<Path> folders) {
        String base = null;
        for (Path folder : folders) {
            Fields config = Fields.read(folder.resolve("adapter_config.json"));
            Fields record = record(folder);
            String named =
                    config.has("base_model_name_or_path") ? config.stringOrNull("base_model_name_or_path") : null;
            String own = record != null ? record.string("base", named == null ? "" : named) : named;
            if (own == null || own.isEmpty()) {
                throw new InputException(folder + ": the adapter doesn't say what base it is for; give it by --model");
            }
            if (base != null && !base.equals(own)) {
                throw new InputException(folder + ": the adapter is for " + own + ", the ones before it are for " + base
                        + "; if that is the same base, give it by --model");
            }
            base = own;
        }
        if (base == null) {
            throw new InputException("there is no adapter that says what its base is");
        }
        boolean onHub = base.matches("[\\w.-]+/[\\w.-]+") && !Files.exists(Path.of(base));
        return onHub ? "hf:" + base : base;
    }

    /**
     * Returns the file of an adapter's configuration.
     *
     * @throws InputException if there is none; for a run's folder the message names its adapter
     */
    public static Path config(Path folder) {
        Path file = folder.resolve("adapter_config.json");
        if (!Files.isRegularFile(file)) {
            Path inside = folder.resolve("adapter");
            throw new InputException(folder + ": no adapter_config.json here, so this is not an adapter"
                    + (Files.isRegularFile(inside.resolve("adapter_config.json"))
                            ? "; there is one in " + inside
                            : ""));
        }
        return file;
    }

    /** Returns whether its classes have names of their own; PEFT's files have none. */
    public boolean namesLabels() {
        return !labels.stream().allMatch(label -> label.matches("LABEL_[0-9]+"));
    }

    public static AdapterHeader read(Path folder) {
        Fields config = Fields.read(config(folder));
        String task = taskType(config);
        if (task == null) {
            task = ofClass(config.stringOrNull("model_class"));
        }
        Fields record = record(folder);
        String known = task == null && record != null ? record.stringOrNull("task") : task;
        // Who writes texts has no classes, and their file need not be opened to count them.
        boolean writes = Task.CAUSAL_LM.name().equals(known);
        return new AdapterHeader(folder, known, writes ? List.of() : labels(folder, record));
    }

    /**
     * Returns the common header of adapters: their task, if those that name one agree, and the classes of the first
     * that has some.
     *
     * @param wanted the task that the user chose, or null
     * @return null where nothing is known
     */
    static @Nullable AdapterHeader agreed(List<Path> folders, @Nullable String wanted, RunListener listener) {
        Map<Task, AdapterHeader> first = new TreeMap<>();
        for (Path folder : folders) {
            try {
                AdapterHeader header = read(folder);
                Task task = header.task == null ? null : Task.of(header.task);
                if (task != null && (wanted == null || TaskTypes.head(wanted) == task)) {
                    first.merge(task, header, (known, other) -> known.labels.isEmpty() ? other : known);
                }
            } catch (InputException unreadable) {
                listener.onNotice("  warning: " + unreadable.getMessage());
            }
        }
        if (first.size() > 1) {
            listener.onNotice("  warning: the adapters are for several tasks, "
                    + first.keySet().stream().map(Task::name).collect(Collectors.joining(", "))
                    + ", so none says what the base is loaded for; choose by --task");
            return null;
        }
        return first.values().stream().findFirst().orElse(null);
    }

    private static @Nullable Fields record(Path folder) {
        Path file = folder.resolve("graft.json");
        return Files.isRegularFile(file) ? Fields.read(file) : null;
    }

    private static @Nullable String taskType(Fields config) {
        String task = config.stringOrNull("task_type");
        if (task != null
                && Stream.of(Task.values()).noneMatch(known -> known.name().equals(task))) {
            throw config.invalid("task_type", "one of " + List.of(Task.values()) + " or null");
        }
        return task;
    }

    /** AdapterHub names the class of the model that it trained: {@code BertForSequenceClassification}. */
    private static @Nullable String ofClass(@Nullable String name) {
        if (name == null) {
            return null;
        }
        for (Map.Entry<String, Task> head : HEADS.entrySet()) {
            if (name.endsWith(head.getKey())) {
                return head.getValue().name();
            }
        }
        return null;
    }

    private static List<String> labels(Path folder, @Nullable Fields record) {
        List<String> named = record == null ? null : record.stringsOrNull("labels");
        if (named != null) {
            return named;
        }
        Path head = folder.resolve("head_config.json");
        Fields ids = Files.isRegularFile(head) ? Fields.read(head).objectOrNull("label2id") : null;
        if (ids != null) {
            return ids.names().stream()
                    .sorted(Comparator.comparing(ids::integer))
                    .toList();
        }
        int outputs = outputs(folder);
        return IntStream.range(0, outputs).mapToObj(i -> "LABEL_" + i).toList();
    }

    /** The rows of the classifier that the adapter was saved with, 0 if there is none. */
    private static int outputs(Path folder) {
        for (TensorInfo info : tensors(folder)) {
            if (info.name().matches("(.*\\.)?(classifier|score)\\.(out_proj\\.)?weight") && info.rank() == 2) {
                return Math.toIntExact(info.shape()[0]);
            }
        }
        return 0;
    }

    /** Returns the names and shapes of the tensors in files of PEFT or AdapterHub. */
    public static List<TensorInfo> tensors(Path folder) {
        List<TensorInfo> all = new ArrayList<>();
        for (String name : FILES) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                try (Safetensors tensors = Safetensors.open(file)) {
                    tensors.names().forEach(tensor -> all.add(tensors.info(tensor)));
                }
            }
        }
        return all;
    }
}
