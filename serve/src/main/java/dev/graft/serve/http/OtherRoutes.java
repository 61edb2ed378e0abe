package dev.graft.serve.http;

import dev.graft.models.Task;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a server says of the routes that it lacks.
 *
 * @param base what clients call its base
 * @param own the routes that it has by the task of the base
 */
record OtherRoutes(String base, Task task, List<String> own) {
    private static final Map<String, String> NEEDS = Map.of(
            "/v1/chat/completions", "a base for causal_lm that has a chat template",
            "/v1/completions", "a base for causal_lm",
            "/v1/embeddings", "a base for feature_extraction",
            "/v1/classify", "a base for seq_cls",
            "/v1/token_classify", "a base for token_cls");

    /** Why nothing answers at a path. */
    ApiError at(String path) {
        String needed = NEEDS.get(path);
        if (needed == null) {
            return new ApiError(404, "invalid_request_error", "unknown_url", "there is nothing at this address");
        }
        return new ApiError(
                404,
                "invalid_request_error",
                "route_not_served",
                path + " needs " + needed + "; " + base + " is served for "
                        + task.name().toLowerCase(Locale.ROOT) + " and has " + String.join(" and ", own)
                        + ": use that, or serve another base or task");
    }
}
