package dev.graft.eval.run;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Dropout probabilities of a base in training, which override those of its config.json.
 *
 * @param hidden the dropout of hidden states; null as in config.json
 * @param attention the dropout of attention weights; null as in config.json
 */
public record DropoutOverrides(
        @Nullable Double hidden, @Nullable Double attention) {
    private static final List<String> HIDDEN = List.of("hidden_dropout_prob", "embd_pdrop", "resid_pdrop");
    private static final List<String> ATTENTION =
            List.of("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop");

    /**
     * Loads a base with these probabilities.
     *
     * @throws InputException if its architecture has no such dropout
     */
    public Base load(String name, PretrainedCheckpoint checkpoint, Base.Options options) {
        if (hidden == null && attention == null) {
            return Base.of(name, checkpoint, options);
        }
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        for (String field : checkpoint.config().names()) {
            json.set(field, checkpoint.config().node(field));
        }
        set(json, HIDDEN, hidden);
        set(json, ATTENTION, attention);
        Fields config = Fields.of(checkpoint.config().source(), json);
        Base base =
                Base.of(name, new PretrainedCheckpoint(config, checkpoint.tensors(), checkpoint.tokenizer()), options);
        Set<String> unread = Set.copyOf(config.unread());
        require("hidden_dropout", hidden, HIDDEN, unread, base);
        require("attention_dropout", attention, ATTENTION, unread, base);
        return base;
    }

    private static void set(ObjectNode json, List<String> names, @Nullable Double value) {
        if (value != null) {
            names.forEach(name -> json.put(name, value));
        }
    }

    private static void require(
            String option, @Nullable Double value, List<String> names, Set<String> unread, Base base) {
        if (value != null && unread.containsAll(names)) {
            throw new InputException(
                    option + " is " + value + ", but " + base.architecture().modelType() + " has no such dropout");
        }
    }
}
