package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/** A family of encoders: the names of its heads, and a {@link BertEncoder} in the shape of its config.json. */
abstract class BertFamily extends NamedFamily {
    static final Set<Task> TASKS = EnumSet.of(
            Task.FEATURE_EXTRACTION,
            Task.SEQ_CLS,
            Task.TOKEN_CLS,
            Task.MULTIPLE_CHOICE,
            Task.QUESTION_ANS,
            Task.MASKED_LM);

    BertFamily(String modelType, String stem, String prefix) {
        super(modelType, stem, prefix);
    }

    /** Reads its fields, with the defaults of the family. */
    abstract BertEncoder.Config config(Fields f);

    /** The head that classifies a sequence. */
    abstract Head sequence(BertEncoder encoder, Fields f, Weights w, HeadSpec spec);

    /** The head for the tokens behind masks. */
    abstract Head masked(BertEncoder encoder, Fields f, Weights w);

    /** Returns whether it has a pooler for a task. */
    boolean pools(Task task) {
        return task == Task.FEATURE_EXTRACTION || task == Task.MULTIPLE_CHOICE;
    }

    /** The head that scores each of several texts. */
    Head choice(BertEncoder encoder, Fields f, Weights w, HeadSpec spec) {
        return pooled(encoder, encoder.config().dropout(), w, spec);
    }

    /** The pooler and a classifier; checkpoints of sentence encoders may have no pooler. */
    static Head pooled(BertEncoder encoder, double dropout, Weights w, HeadSpec spec) {
        Linear pooler = encoder.pooler();
        return new Head.PerSequence(
                pooler == null ? spec.pooling() : Head.Pooling.FIRST,
                pooler == null ? null : new Head.Dense(pooler, Activation.TANH, null, 0),
                dropout,
                w.headLinear("classifier", spec.labels(), encoder.hiddenSize(), true, spec.seed()));
    }

    /** Returns the dropout before a classifier. */
    double dropout(BertEncoder encoder, Fields f) {
        Double given = f.numberOrNull("classifier_dropout");
        return given == null ? encoder.config().dropout() : given;
    }

    /** Returns the dropout before the head for the start and the end of an answer. */
    double answerDropout(Fields f) {
        return 0;
    }

    @Override
    public Set<Task> tasks() {
        return TASKS;
    }

    @Override
    public Model build(Fields f, Weights w, HeadSpec spec) {
        Task task = spec.task();
        BertEncoder encoder =
                new BertEncoder(config(f), w, task == Task.FEATURE_EXTRACTION ? "" : prefix(), pools(task));
        int hidden = encoder.hiddenSize();
        Head head = switch (task) {
            case FEATURE_EXTRACTION -> new Head.NoHead(List.of());
            case SEQ_CLS -> sequence(encoder, f, w, spec);
            case TOKEN_CLS ->
                new Head.PerToken(
                        null,
                        dropout(encoder, f),
                        w.headLinear("classifier", spec.labels(), hidden, true, spec.seed()));
            case MULTIPLE_CHOICE -> choice(encoder, f, w, spec);
            case QUESTION_ANS ->
                new Head.PerToken(null, answerDropout(f), w.headLinear("qa_outputs", 2, hidden, true, spec.seed()));
            case MASKED_LM -> masked(encoder, f, w);
            default -> throw new IllegalArgumentException(modelType() + " has no head for " + task);
        };
        return new Model(encoder, head);
    }

    /** Returns a head that reads the first position through its own dense layer, with dropout before and after it. */
    static Head first(
            String dense,
            Activation activation,
            double before,
            double behind,
            String output,
            int hidden,
            Weights w,
            HeadSpec spec) {
        Head.Dense layer =
                new Head.Dense(w.headLinear(dense, hidden, hidden, true, spec.seed()), activation, null, before);
        return new Head.PerSequence(
                Head.Pooling.FIRST, layer, behind, w.headLinear(output, spec.labels(), hidden, true, spec.seed()));
    }

    /**
     * Returns a head of a dense layer, an activation, a norm and the vocabulary. The vocabulary uses the table of
     * embeddings or a table of its own.
     *
     * @param bias the name of the vocabulary's bias
     */
    static Head vocabulary(
            Embedding words,
            String dense,
            Activation activation,
            String norm,
            double eps,
            String output,
            String bias,
            int hidden,
            Weights w) {
        boolean own = w.has(output + ".weight");
        Tensor table = own ? w.matrix(output + ".weight", words.rows(), words.hidden()) : words.weight();
        Head.Dense layer = new Head.Dense(
                w.linear(dense, Role.HEAD, -1, words.hidden(), hidden, true),
                activation,
                w.layerNorm(norm, -1, words.hidden(), true, eps),
                0);
        String named = w.has(bias) ? bias : output + ".bias";
        return new Head.PerToken(layer, 0, new Linear(output, Role.HEAD, -1, table, w.bias(named, words.rows())));
    }
}
