package dev.graft.langchain4j;

import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** An adapter, or its base, as a chat model. Created by {@link GraftModels}; safe for use by several threads. */
public final class GraftChatModel implements ChatModel {
    private final ChatRequests chatRequests;
    private final ChatRequestParameters defaults;

    GraftChatModel(ChatRequests chatRequests, String model, ChatRequestParameters defaults) {
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
    public ChatResponse doChat(ChatRequest request) {
        try {
            return doChatAsync(request).join();
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RuntimeException why ? why : failed;
        }
    }

    @Override
    public CompletableFuture<ChatResponse> doChatAsync(ChatRequest request) {
        CompletableFuture<ChatResponse> answer = new CompletableFuture<>();
        chatRequests.submit(request, text -> {}, answer::complete, answer::completeExceptionally);
        return answer;
    }
}
