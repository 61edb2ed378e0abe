package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.models.heads.Head;
import dev.graft.models.weights.Weights;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.node.ObjectNode;

/** A family of models, found through {@link java.util.ServiceLoader} by the {@code model_type} of config.json. */
public interface Architecture {
    /**
     * Returns the family of a config.json.
     *
     * @throws dev.graft.formats.FormatException if its {@code model_type} is unknown
     */
    static Architecture of(Fields config) {
        String type = config.string("model_type");
        Set<String> known = new TreeSet<>();
        for (Architecture candidate : ServiceLoader.load(Architecture.class, Architecture.class.getClassLoader())) {
            if (candidate.modelType().equals(type)) {
                return candidate;
            }
            known.add(candidate.modelType());
        }
        throw config.invalid("model_type", "one of " + String.join(", ", known));
    }

    /** The {@code model_type} it reads, for example {@code bert}. */
    String modelType();

    /** The prefix of the backbone's names in a model with a head, for example {@code bert.}. */
    String prefix();

    /** The prefix of the backbone's names in a model with that head, where it differs from {@link #prefix()}. */
    default String prefix(Task task) {
        return prefix();
    }

    /** The tasks with a head in this family. */
    Set<Task> tasks();

    /** The prefix of its class names, for example {@code Bert}. */
    String classNamePrefix();

    /** Returns the task of a class name in {@code architectures}, for example {@code BertForMaskedLM}. */
    default Task task(String className) {
        return tasks().stream()
                .filter(task -> className(task).equals(className))
                .findFirst()
                .orElse(Task.FEATURE_EXTRACTION);
    }

    /** The class name for {@code architectures} of a model with that head. */
    default String className(Task task) {
        return classNamePrefix() + task.suffix();
    }

    /**
     * Returns whether transformers' configuration stores the head size, which otherwise follows from other fields. A change of those fields then
     * doesn't change it.
     */
    default boolean keepsHeadSize() {
        return false;
    }

    /**
     * Records in a configuration that the vocabulary head is no longer the matrix of token embeddings, and changes
     * nothing else.
     */
    default void untie(ObjectNode config) {
        config.put("tie_word_embeddings", false);
    }

    /**
     * Returns whether a tensor belongs to a part that this model lacks, such as an image encoder. A saved folder
     * contains it again, unread.
     */
    default boolean passesThrough(String tensor) {
        return false;
    }

    /** Returns the name in files of a module's tensor, where modules have newer names. */
    default String checkpointName(String name) {
        return name;
    }

    /** Builds the model. */
    Model build(Fields config, Weights weights, HeadSpec head);

    /** A backbone with its head. */
    record Model(Backbone backbone, Head head) {}

    /**
     * The requested head.
     *
     * @param labels the number of outputs of a classification head
     * @param pooling the reduction of a sequence to one row if the checkpoint has no pooler
     * @param seed the random seed of heads that the checkpoint lacks
     */
    record HeadSpec(Task task, int labels, Head.Pooling pooling, long seed) {}
}
