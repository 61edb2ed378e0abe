package dev.graft.eval.suites;

import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/** Kinds of questions in benchmarks, each with the heads that can answer it. */
public enum SuiteQuestion {
    /** The class of a text or a picture. */
    CLASS(Task.SEQ_CLS, Task.IMAGE_CLS),
    /** A number. */
    NUMBER(Task.SEQ_CLS),
    /** A tag for each word. */
    TAGS(Task.TOKEN_CLS),
    /** The span of a text that answers a question. */
    SPAN(Task.QUESTION_ANS),
    /** The span of a text that answers a question, if there is one. */
    SPAN_OR_NONE(Task.QUESTION_ANS),
    /** A text. */
    TEXT(Task.CAUSAL_LM, Task.SEQ_2_SEQ_LM),
    /** A masked token. */
    TOKEN(Task.MASKED_LM),
    /** The most probable of several answers. */
    CHOICE(Task.CAUSAL_LM, Task.SEQ_2_SEQ_LM);

    private final Set<Task> heads;

    SuiteQuestion(Task first, Task... others) {
        this.heads = EnumSet.of(first, others);
    }

    /** Returns the heads that can answer. */
    public Set<Task> heads() {
        return heads;
    }
}
