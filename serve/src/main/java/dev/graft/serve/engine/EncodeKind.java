package dev.graft.serve.engine;

import dev.graft.models.Task;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** Kinds of outputs of {@link EncoderEngine}, each with a route of its own and the heads that compute it. */
public enum EncodeKind {
    /** One vector for each text: its pooled hidden states. */
    EMBEDDING("/v1/embeddings", Task.FEATURE_EXTRACTION, Task.MASKED_LM),
    /** A label for each text. */
    LABEL("/v1/classify", Task.SEQ_CLS),
    /** A label for each token. */
    TOKEN_LABELS("/v1/token_classify", Task.TOKEN_CLS);

    private final String path;
    private final List<Task> heads;

    /** @param heads the usual one first */
    EncodeKind(String path, Task... heads) {
        this.path = path;
        this.heads = List.of(heads);
    }

    /** Returns the kind of output of a head; empty for heads that generate texts. */
    public static Optional<EncodeKind> of(Task head) {
        return Stream.of(values()).filter(kind -> kind.heads.contains(head)).findFirst();
    }

    /** Returns the path of its route. */
    public String path() {
        return path;
    }

    /** Returns the name of the task that a base must be served for, as {@code --task} accepts it. */
    public String task() {
        return heads.get(0).name().toLowerCase(Locale.ROOT);
    }
}
