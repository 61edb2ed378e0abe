package dev.graft.langchain4j;

import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** An adapter, or its base, as a chat model. Made by {@link GraftModels}; safe for use by several threads. */
public final class GraftChatModel implements ChatModel {
    private final Conversations conversations;
    private final ChatRequestParameters defaults;

    GraftChatModel(Conversations conversations, String model, ChatRequestParameters defaults) {
        this.conversations = conversations;
        this.defaults = Conversations.defaults(model, defaults);
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
        conversations.ask(request, text -> {}, answer::complete, answer::completeExceptionally);
        return answer;
    }
}
