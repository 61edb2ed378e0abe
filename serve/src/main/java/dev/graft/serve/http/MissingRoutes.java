package dev.graft.serve.http;

import dev.graft.models.Task;
import dev.graft.serve.engine.EncodeKind;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Explains why a server lacks a route.
 *
 * @param base the name of its base
 * @param own the routes that it has by the task of the base
 */
record MissingRoutes(String base, Task task, List<String> own) {
    private static final Map<String, String> NEEDS = needs();

    private static Map<String, String> needs() {
        Map<String, String> needs = new HashMap<>();
        needs.put("/v1/chat/completions", "a base for causal_lm that has a chat template");
        needs.put("/v1/completions", "a base for causal_lm");
        for (EncodeKind kind : EncodeKind.values()) {
            needs.put(kind.path(), "a base for " + kind.task());
        }
        return Map.copyOf(needs);
    }

    /** Returns the error for a path without a route. */
    ApiError notFound(String path) {
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
