package dev.graft.serve.http;

import dev.graft.formats.FieldException;
import dev.graft.formats.InputException;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.RejectedException;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** An error response in OpenAI's form. */
final class ApiError extends RuntimeException {
    private static final long serialVersionUID = 1;
    /** The name of a request's body in messages. */
    static final String REQUEST = "the request";

    private static final Logger LOG = LoggerFactory.getLogger(ApiError.class);

    /** An absolute path up to what is said of it, or a relative one that a message begins with. Names may have spaces. */
    private static final Pattern PATH = Pattern.compile(
            "(?<![\\w.:#/])(?:/|[A-Za-z]:\\\\)(?=\\S).*?(?=[:;,] |\"|$)|^[^\\s\":]+/[^\\s\":]*(?=:)",
            Pattern.MULTILINE);

    private final int status;
    private final String type;
    private final @Nullable String param;
    private final @Nullable String code;

    ApiError(int status, String type, @Nullable String code, String message) {
        this(status, type, null, code, message);
    }

    private ApiError(int status, String type, @Nullable String param, @Nullable String code, String message) {
        super(message);
        this.status = status;
        this.type = type;
        this.param = param;
        this.code = code;
    }

    /** Does what a field of the request is wanted for: where that is refused, the refusal names this field, unless it names another. */
    static <T> T forField(String field, Supplier<T> work) {
        try {
            return work.get();
        } catch (InputException refused) {
            throw of(refused).forField(field);
        }
    }

    /** Returns this error for a field of the request, unless it names another field. */
    ApiError forField(String field) {
        return param != null ? this : new ApiError(status, type, field, code, String.valueOf(getMessage()));
    }

    /**
     * Converts a failure to an error response. Failures of the server's own tell nothing of its inside; of a file that can't be used there is its
     * name, and the log has its path.
     */
    static ApiError of(Throwable failure) {
        if (failure instanceof ApiError known) {
            return known;
        }
        String whole = String.valueOf(failure.getMessage());
        String message = withoutFolders(whole);
        if (failure instanceof UnknownAdapterException) {
            return new ApiError(404, "invalid_request_error", "model_not_found", message);
        }
        if (failure instanceof InputException) {
            if (!message.equals(whole)) {
                LOG.warn("refused: {}", whole);
            }
            String field =
                    failure instanceof FieldException wrong && wrong.source().equals(REQUEST) ? wrong.field() : null;
            return new ApiError(400, "invalid_request_error", field, null, message);
        }
        if (failure instanceof RejectedException rejected) {
            return switch (rejected.reason()) {
                case FULL -> new ApiError(429, "rate_limit_error", "queue_full", message);
                case STOPPING -> new ApiError(503, "server_error", "stopping", message);
                case LATE -> new ApiError(504, "timeout_error", "deadline", message);
            };
        }
        return new ApiError(500, "server_error", null, "the server failed; its log says why");
    }

    private static String withoutFolders(String message) {
        return PATH.matcher(message).replaceAll(found -> {
            String path = found.group();
            int name = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1;
            return Matcher.quoteReplacement(path.substring(name));
        });
    }

    /** Returns whether the queue was full. */
    boolean isQueueFull() {
        return "queue_full".equals(code);
    }

    int status() {
        return status;
    }

    ObjectNode json() {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        ObjectNode error = body.putObject("error");
        error.put("message", getMessage());
        error.put("type", type);
        error.put("param", param);
        error.put("code", code);
        return body;
    }
}
