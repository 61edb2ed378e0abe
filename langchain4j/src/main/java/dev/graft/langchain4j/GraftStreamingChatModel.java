package dev.graft.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * An adapter, or its base, as a streaming chat model. Created by {@link GraftModels}; safe for use by several threads. A handler may block:
 * it is called by a thread of its own, in the order of the answer.
 */
public final class GraftStreamingChatModel implements StreamingChatModel {
    private final ChatRequests chatRequests;
    private final ChatRequestParameters defaults;

    GraftStreamingChatModel(ChatRequests chatRequests, String model, ChatRequestParameters defaults) {
        this.chatRequests = chatRequests;
        this.defaults = ChatRequests.defaults(model, defaults);
    }

    @Override
    public ChatRequestParameters defaultRequestParameters() {
        return defaults;
    }

    @Override
    public Set<Capability> supportedCapabilities() {
        return Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
    }

    @Override
    public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
        ExecutorService own = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "graft-answer");
            thread.setDaemon(true);
            return thread;
        });
        chatRequests.submit(
                request,
                text -> own.execute(() -> handler.onPartialResponse(text)),
                response -> {
                    List<ToolExecutionRequest> calls = response.aiMessage().toolExecutionRequests();
                    for (int i = 0; i < calls.size(); i++) {
                        CompleteToolCall call = new CompleteToolCall(i, calls.get(i));
                        own.execute(() -> handler.onCompleteToolCall(call));
                    }
                    own.execute(() -> handler.onCompleteResponse(response));
                    own.shutdown();
                },
                failure -> {
                    own.execute(() -> handler.onError(failure));
                    own.shutdown();
                });
    }
}
