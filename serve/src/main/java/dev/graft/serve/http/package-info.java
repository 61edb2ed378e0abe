/**
 * The HTTP server. {@link dev.graft.serve.http.Server} listens, {@code Router} authenticates a request and finds its {@code Route}, and a route
 * reads the request from an {@code Exchange} and writes the answer to it. Errors are {@code ApiError}s in OpenAI's form.
 */
@NullMarked
package dev.graft.serve.http;

import org.jspecify.annotations.NullMarked;
