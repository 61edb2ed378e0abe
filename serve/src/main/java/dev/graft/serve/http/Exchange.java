package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.serve.adapters.Adapters;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A request with its response. Used by the thread that handles it, which may wait. */
final class Exchange {
    private static final Set<String> REQUIRED = Set.of("model", "messages", "prompt", "input");

    private final Request request;
    private final Response response;
    private final Limits limits;
    private final ApiKeys.@Nullable Key key;
    private @Nullable String model;
    private @Nullable String adapter;
    private String requestKey = "";
    private @Nullable ApiError streamError;
    private boolean isRead;

    Exchange(Request request, Response response, Limits limits, ApiKeys.@Nullable Key key) {
        this.request = request;
        this.response = response;
        this.limits = limits;
        this.key = key;
    }

    Limits limits() {
        return limits;
    }

    /** The name of the key that it was sent with, or null. */
    @Nullable
    String keyName() {
        return key == null ? null : key.name();
    }

    /** Returns the status of the response, or of the error that ended a stream. */
    int status() {
        return streamError == null ? response.getStatus() : streamError.status();
    }

    /** Ends a failed stream with an error event. */
    void endWithError(ApiError why) throws IOException {
        streamError = why;
        sendEvent(Json.compact(why.json()));
    }

    /** Sets the model that the request is about, if it isn't the one that answers. */
    void setModel(String name) {
        model = name;
    }

    /** The model that its body names, as it is for the log; null before the body is read. */
    @Nullable
    String model() {
        return model;
    }

    String method() {
        return request.getMethod();
    }

    String path() {
        return Request.getPathInContext(request);
    }

    /** Returns the tenant of the request: its key, or its client's address if there are no keys. */
    String tenant() {
        return key == null ? Request.getRemoteAddr(request) : key.name();
    }

    /** The fields of its body, a JSON object; those that are null count as absent. */
    Fields body() throws IOException {
        String type = request.getHeaders().get(HttpHeader.CONTENT_TYPE);
        if (type == null || !type.trim().toLowerCase(java.util.Locale.ROOT).startsWith("application/json")) {
            throw new ApiError(
                    415, "invalid_request_error", null, "the Content-Type is " + type + ", expected application/json");
        }
        byte[] bytes = bytes();
        JsonNode json = Json.parse(ApiError.REQUEST, bytes);
        Fields fields = Fields.of(ApiError.REQUEST, NullFields.without(json, REQUIRED));
        model = fields.has("model") && json.path("model").isString() ? fields.string("model") : null;
        // A person stays with one version; requests of nobody are told apart by all that they say.
        JsonNode user = json.path("user");
        requestKey = user.isString()
                ? user.stringValue()
                : UUID.nameUUIDFromBytes(bytes).toString();
        return fields;
    }

    /** Leases the model of a name for this request, and names its adapter in a response header. */
    Adapters.Lease lease(Adapters adapters, String name) {
        Adapters.Lease lease = ApiError.forField("model", () -> adapters.lease(name, requestKey));
        adapter = lease.title();
        if (adapter != null) {
            setHeader("Graft-Adapter", adapter);
        }
        return lease;
    }

    /** Returns the exact adapter that answers; null for the base alone, and before it is known. */
    @Nullable
    String adapter() {
        return adapter;
    }

    byte[] bytes() throws IOException {
        ApiError large = new ApiError(
                413, "invalid_request_error", null, "the body has more than " + limits.maxBodyBytes() + " bytes");
        InputStream in = Content.Source.asInputStream(request);
        boolean announced = request.getLength() > limits.maxBodyBytes();
        byte[] body = announced ? new byte[0] : read(in, limits.maxBodyBytes() + 1);
        if (announced || body.length > limits.maxBodyBytes()) {
            // A client that still writes doesn't see the answer: up to twice the limit is taken and thrown away.
            // One that asked whether it may write reads the answer at once.
            if (!announced || !request.getHeaders().contains(HttpHeader.EXPECT)) {
                in.skip(2L * limits.maxBodyBytes() - body.length);
            }
            throw large;
        }
        isRead = true;
        // From here on the client waits for us, not we for it.
        request.addIdleTimeoutListener(Exchange::isOurFault);
        return body;
    }

    private static byte[] read(InputStream in, int most) throws IOException {
        try {
            return in.readNBytes(most);
        } catch (IOException failure) {
            if (failure.getCause() instanceof TimeoutException) {
                throw new ApiError(408, "timeout_error", null, "the rest of the body didn't come");
            }
            throw failure;
        }
    }

    private static boolean isOurFault(TimeoutException idle) {
        return false;
    }

    void sendJson(int status, JsonNode body) throws IOException {
        send(status, "application/json", Json.compact(body));
    }

    void send(int status, String type, String body) throws IOException {
        send(status, type, body.getBytes(StandardCharsets.UTF_8));
    }

    void send(int status, String type, byte[] body) throws IOException {
        response.setStatus(status);
        if (!isRead && hasBody()) {
            // What may still come would be taken for the next request, so the connection ends, and the client is told.
            response.getHeaders().put(HttpFields.CONNECTION_CLOSE);
        }
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
        Content.Sink.write(response, true, ByteBuffer.wrap(body));
    }

    private boolean hasBody() {
        return request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING)
                || request.getHeaders().getLongField(HttpHeader.CONTENT_LENGTH) > 0;
    }

    void setHeader(String name, String value) {
        response.getHeaders().put(name, value);
    }

    boolean isCommitted() {
        return response.isCommitted();
    }

    /** Sends an event of a stream; the first one begins it. */
    void sendEvent(String data) throws IOException {
        if (!response.isCommitted()) {
            response.setStatus(200);
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream; charset=utf-8");
            response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
        }
        byte[] bytes = ("data: " + data + "\n\n").getBytes(StandardCharsets.UTF_8);
        Content.Sink.write(response, false, ByteBuffer.wrap(bytes));
    }

    /** Ends a stream. */
    void endStream() throws IOException {
        Content.Sink.write(response, true, ByteBuffer.allocate(0));
    }

    /** Watches over the connection while a request is answered. */
    ClientWatch watchClient(Runnable onDisconnect) {
        return new ClientWatch(request.getConnectionMetaData().getConnection().getEndPoint(), onDisconnect);
    }
}
