package dev.graft.eval.suites;

import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/** What a row of a benchmark asks of a model, and with which heads a model can answer. */
public enum Ask {
    /** The class of a text or a picture. */
    CLASS(Task.SEQ_CLS, Task.IMAGE_CLS),
    /** A number. */
    NUMBER(Task.SEQ_CLS),
    /** A tag for each word. */
    TAGS(Task.TOKEN_CLS),
    /** Where a text answers a question. */
    SPAN(Task.QUESTION_ANS),
    /** Where a text answers a question, if it does. */
    SPAN_OR_NONE(Task.QUESTION_ANS),
    /** A text. */
    TEXT(Task.CAUSAL_LM, Task.SEQ_2_SEQ_LM),
    /** The token behind a mask. */
    TOKEN(Task.MASKED_LM),
    /** The most probable of several answers. */
    CHOICE(Task.CAUSAL_LM, Task.SEQ_2_SEQ_LM);

    private final Set<Task> heads;

    Ask(Task first, Task... others) {
        this.heads = EnumSet.of(first, others);
    }

    /** The heads that answer. */
    public Set<Task> heads() {
        return heads;
    }
}
