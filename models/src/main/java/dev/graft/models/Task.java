package dev.graft.models;

import java.util.Arrays;
import java.util.Locale;

/** What a model with its head is for; the names are those of PEFT's {@code task_type}. */
public enum Task {
    /** Hidden states only. */
    FEATURE_EXTRACTION("Model"),
    /** One label, several labels or a number for a sequence. */
    SEQ_CLS("ForSequenceClassification"),
    /** A label for every token. */
    TOKEN_CLS("ForTokenClassification"),
    /** Which of several texts goes on with another best. */
    MULTIPLE_CHOICE("ForMultipleChoice"),
    /** Start and end of an answer in a text. */
    QUESTION_ANS("ForQuestionAnswering"),
    /** The tokens behind masks. */
    MASKED_LM("ForMaskedLM"),
    /** One label for an image. */
    IMAGE_CLS("ForImageClassification"),
    /** A class for each point of an image. */
    SEMANTIC_SEG("ForSemanticSegmentation"),
    /** How well texts and images fit each other. */
    CONTRASTIVE("Model"),
    /** A text for a text. */
    SEQ_2_SEQ_LM("ForConditionalGeneration"),
    /** The next token. */
    CAUSAL_LM("ForCausalLM");

    private final String suffix;

    Task(String suffix) {
        this.suffix = suffix;
    }

    /** What the name of a class for the task has after the family's, as a rule. */
    String suffix() {
        return suffix;
    }

    /** Whether PEFT has a name for it, which is this one. */
    public boolean isPefts() {
        return this != MULTIPLE_CHOICE
                && this != MASKED_LM
                && this != IMAGE_CLS
                && this != SEMANTIC_SEG
                && this != CONTRASTIVE;
    }

    /** Whether the head has an output for each of some labels. */
    public boolean classifies() {
        return this == SEQ_CLS || this == TOKEN_CLS || this == IMAGE_CLS || this == SEMANTIC_SEG;
    }

    /** The task of that name, in any case. */
    public static Task of(String name) {
        try {
            return valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException unknown) {
            throw new dev.graft.formats.InputException(
                    "task is \"" + name + "\", expected one of " + Arrays.toString(values()));
        }
    }
}
