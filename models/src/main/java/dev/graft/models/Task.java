package dev.graft.models;

import java.util.Arrays;
import java.util.Locale;

/** What a model with its head is for; the names are those of PEFT's {@code task_type}. */
public enum Task {
    /** Hidden states only. */
    FEATURE_EXTRACTION,
    /** One label, several labels or a number for a sequence. */
    SEQ_CLS,
    /** A label for every token. */
    TOKEN_CLS,
    /** Start and end of an answer in a text. */
    QUESTION_ANS,
    /** The tokens behind masks. */
    MASKED_LM,
    /** The next token. */
    CAUSAL_LM;

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
