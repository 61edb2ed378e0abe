package dev.graft.models;

import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import java.util.Arrays;
import java.util.Locale;

/** The task of a model with its head; the names are those of PEFT's {@code task_type}. */
public enum Task {
    /** Hidden states only. */
    FEATURE_EXTRACTION("Model"),
    /** One label, several labels or a number for a sequence. */
    SEQ_CLS("ForSequenceClassification"),
    /** A label for every token. */
    TOKEN_CLS("ForTokenClassification"),
    /** A choice of the text that continues another best. */
    MULTIPLE_CHOICE("ForMultipleChoice"),
    /** Start and end of an answer in a text. */
    QUESTION_ANS("ForQuestionAnswering"),
    /** The original tokens at masked positions. */
    MASKED_LM("ForMaskedLM"),
    /** One label for an image. */
    IMAGE_CLS("ForImageClassification"),
    /** A class for each point of an image. */
    SEMANTIC_SEG("ForSemanticSegmentation"),
    /** The similarity of texts and images. */
    CONTRASTIVE("Model"),
    /** An output text for an input text. */
    SEQ_2_SEQ_LM("ForConditionalGeneration"),
    /** The next token. */
    CAUSAL_LM("ForCausalLM");

    private final String suffix;

    Task(String suffix) {
        this.suffix = suffix;
    }

    /** The usual suffix of a class name for the task, after the name of the family. */
    String suffix() {
        return suffix;
    }

    /** Returns whether PEFT has a name for it, which is this one. */
    public boolean isPeftTask() {
        return this != MULTIPLE_CHOICE
                && this != MASKED_LM
                && this != IMAGE_CLS
                && this != SEMANTIC_SEG
                && this != CONTRASTIVE;
    }

    /** Returns whether the head has an output for each label of a set. */
    public boolean classifies() {
        return this == SEQ_CLS || this == TOKEN_CLS || this == IMAGE_CLS || this == SEMANTIC_SEG;
    }

    /** Returns whether the output depends on a site: hidden states do not depend on the pooler. */
    public boolean reads(Site site) {
        return this != FEATURE_EXTRACTION || !(site instanceof Projection layer) || layer.role() != Role.POOLER;
    }

    /**
     * Returns the task of that name, in any case.
     *
     * @throws dev.graft.formats.InputException for an unknown name
     */
    public static Task of(String name) {
        try {
            return valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException unknown) {
            throw new dev.graft.formats.InputException(
                    "task is \"" + name + "\", expected one of " + Arrays.toString(values()));
        }
    }
}
