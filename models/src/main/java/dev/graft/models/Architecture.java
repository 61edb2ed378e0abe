package dev.graft.models;

import dev.graft.formats.Fields;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.node.ObjectNode;

/** A family of models; found by the {@code model_type} of config.json through {@link java.util.ServiceLoader}. */
public interface Architecture {
    /**
     * The family of a config.json.
     *
     * @throws dev.graft.formats.FormatException if its {@code model_type} is none that is known
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
        throw config.wrong("model_type", "one of " + String.join(", ", known));
    }

    /** The {@code model_type} it reads, for example {@code bert}. */
    String modelType();

    /** What a model with a head has before the names of its backbone, for example {@code bert.}. */
    String prefix();

    /** What a model with that head has before the names of its backbone, where it isn't what the others have. */
    default String prefix(Task task) {
        return prefix();
    }

    /** The tasks it has heads for. */
    Set<Task> tasks();

    /** What the names of its classes begin with, for example {@code Bert}. */
    String stem();

    /** Which task the names in {@code architectures} mean, for example {@code BertForMaskedLM}. */
    default Task task(String className) {
        return tasks().stream()
                .filter(task -> className(task).equals(className))
                .findFirst()
                .orElse(Task.FEATURE_EXTRACTION);
    }

    /** The class name for {@code architectures} of a model with that head. */
    default String className(Task task) {
        return stem() + task.suffix();
    }

    /** Whether transformers' configuration remembers the size of a head that follows from others, so that a change of those leaves it. */
    default boolean keepsHeadSize() {
        return false;
    }

    /** What a causal model calls the head of the vocabulary. */
    default String vocabularyHead() {
        return "lm_head";
    }

    /** Has a configuration say that the head of the vocabulary isn't the matrix of token embeddings any more, and nothing else. */
    default void untie(ObjectNode config) {
        config.put("tie_word_embeddings", false);
    }

    /** What files call a tensor of a module, where modules have newer names. */
    default String stored(String name) {
        return name;
    }

    /** Builds the model. */
    Model build(Fields config, Weights weights, HeadSpec head);

    /** A backbone with its head. */
    record Model(Backbone backbone, Head head) {}

    /**
     * What head is wanted.
     *
     * @param labels how many outputs a classification head has
     * @param pooling how a sequence becomes one row, where the checkpoint does not say
     * @param seed for the initialisation of heads that the checkpoint lacks
     */
    record HeadSpec(Task task, int labels, Head.Pooling pooling, long seed) {}
}
