package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * The common heads of decoders: the next token, a class for a sequence or for each token, the start and the end of an
 * answer.
 */
final class CausalHeads {
    static final Set<Task> TASKS =
            EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.QUESTION_ANS, Task.CAUSAL_LM);

    private CausalHeads() {}

    /** The names of the vocabulary head and of the token classifier in a family. */
    record Names(String vocabulary, String tokenClassifier) {
        /** Uses the common name of the vocabulary head. */
        static Names of(String tokenClassifier) {
            return new Names("lm_head", tokenClassifier);
        }
    }

    /** Returns the head of a decoder whose vocabulary head has no bias. */
    static Head of(Weights w, Architecture.HeadSpec spec, Embedding tokens, boolean tied, Names names, double dropout) {
        return of(w, spec, tokens, tied, false, names, dropout);
    }

    /**
     * Returns the head of a decoder.
     *
     * @param tied whether the vocabulary head shares the weight of the embeddings
     * @param bias whether the vocabulary head has a bias
     * @param dropout the dropout before the token classifier
     */
    static Head of(
            Weights w,
            Architecture.HeadSpec spec,
            Embedding tokens,
            boolean tied,
            boolean bias,
            Names names,
            double dropout) {
        long hidden = tokens.hidden();
        return switch (spec.task()) {
            case FEATURE_EXTRACTION -> new Head.NoHead(List.of());
            case CAUSAL_LM -> new Head.PerToken(vocabulary(w, names.vocabulary, tokens, tied, bias));
            case SEQ_CLS ->
                new Head.PerSequence(
                        Head.Pooling.LAST, null, 0, w.headLinear("score", spec.labels(), hidden, false, spec.seed()));
            case TOKEN_CLS ->
                new Head.PerToken(
                        null, dropout, w.headLinear(names.tokenClassifier, spec.labels(), hidden, true, spec.seed()));
            case QUESTION_ANS -> new Head.PerToken(w.headLinear("qa_outputs", 2, hidden, true, spec.seed()));
            default -> throw new IllegalArgumentException("a decoder has no head for " + spec.task());
        };
    }

    /** Reads the dropout before a token classifier from the fields of most families. */
    static double dropout(Fields f) {
        Double classifier = f.numberOrNull("classifier_dropout");
        Double hidden = f.numberOrNull("hidden_dropout");
        return classifier != null ? classifier : hidden != null ? hidden : 0.1;
    }

    /**
     * Returns the vocabulary head.
     *
     * @param tied whether it shares the weight of the embeddings, unless it has been replaced
     */
    static Linear vocabulary(Weights w, String name, Embedding tokens, boolean tied, boolean bias) {
        String file = name + ".weight";
        boolean shared = tied && !w.isOverridden(file);
        if (!shared && !w.has(file)) {
            throw new FormatException(
                    "config.json", "tie_word_embeddings is false, but the checkpoint has no " + file, null);
        }
        Tensor weight = shared ? tokens.weight() : w.matrix(file, tokens.rows(), tokens.hidden());
        return new Linear(name, Role.HEAD, -1, weight, bias ? w.bias(name + ".bias", tokens.rows()) : null);
    }
}
