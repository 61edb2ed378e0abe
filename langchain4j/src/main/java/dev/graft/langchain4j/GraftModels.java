package dev.graft.langchain4j;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.serve.InferenceEngine;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import org.jspecify.annotations.Nullable;

/**
 * One base with its adapters, as models of LangChain4j. All models share the base's memory. Concurrent requests are batched, and each has
 * the same result as alone.
 *
 * <pre>{@code
 * try (GraftModels models = GraftModels.chats(adapters, chat, Engine.Options.DEFAULT)) {
 *     ChatModel poet = models.chat("poet");
 *     System.out.println(poet.chat("The sea at night"));
 * }
 * }</pre>
 */
public final class GraftModels implements AutoCloseable {
    private final Adapters adapters;
    private final InferenceEngine inferenceEngine;
    private final @Nullable ChatRequests chatRequests;

    private GraftModels(Adapters adapters, InferenceEngine inferenceEngine, @Nullable ChatRequests chatRequests) {
        this.adapters = adapters;
        this.inferenceEngine = inferenceEngine;
        this.chatRequests = chatRequests;
    }

    /**
     * Creates chat models on a base. Call {@link Base#pack} first: it makes generation about twice as fast, and several times on a
     * quantised base.
     *
     * @param chat the base's chat template
     * @throws InputException if the base has no language modelling head
     */
    public static GraftModels chats(Adapters adapters, Chat chat, Engine.Options options) {
        Base base = adapters.base();
        Engine engine = new Engine(base, base.tokenizer(), options);
        return new GraftModels(adapters, engine, new ChatRequests(engine, adapters, chat));
    }

    /**
     * Creates embedding models on a base. Call {@link Base#pack} first: it makes encoding several times as fast.
     *
     * @throws InputException if the base is loaded for another task, such as classification
     */
    public static GraftModels embeddings(Adapters adapters) {
        Task task = adapters.base().task();
        if (task != Task.FEATURE_EXTRACTION && task != Task.MASKED_LM) {
            throw new InputException(adapters.baseName() + " is loaded for " + task
                    + ", which gives no vectors; load it for FEATURE_EXTRACTION");
        }
        // Who asks waits for the answer, so there are no more calls than threads.
        EncoderEngine.Options unbounded = EncoderEngine.Options.DEFAULT.withMaxWaiting(Integer.MAX_VALUE);
        return new GraftModels(adapters, new EncoderEngine(adapters.base(), unbounded), null);
    }

    /**
     * Returns a chat model of an adapter, or of the base alone, by its name in {@link Adapters}. It decodes greedily by default.
     *
     * @throws InputException if this was created for embeddings
     */
    public GraftChatModel chat(String model) {
        return chat(model, DefaultChatRequestParameters.EMPTY);
    }

    /** Returns the models with default request parameters. */
    public GraftChatModel chat(String model, ChatRequestParameters defaults) {
        return new GraftChatModel(chatRequests(), model, defaults);
    }

    /**
     * Returns a streaming chat model of an adapter, or of the base alone.
     *
     * @throws InputException if this was created for embeddings
     */
    public GraftStreamingChatModel streamingChat(String model) {
        return streamingChat(model, DefaultChatRequestParameters.EMPTY);
    }

    /** Returns the models with default request parameters. */
    public GraftStreamingChatModel streamingChat(String model, ChatRequestParameters defaults) {
        return new GraftStreamingChatModel(chatRequests(), model, defaults);
    }

    /**
     * Returns an embedding model: its vectors {@code [hidden]} are the means of a text's hidden states, normalised to length 1.
     *
     * @throws InputException if this was created for chats
     */
    public GraftEmbeddingModel embedding(String model) {
        if (!(inferenceEngine instanceof EncoderEngine engine)) {
            throw new InputException(adapters.baseName() + " was opened for chats; open it by GraftModels.embeddings");
        }
        return new GraftEmbeddingModel(engine, adapters, model);
    }

    private ChatRequests chatRequests() {
        if (chatRequests == null) {
            throw new InputException(adapters.baseName() + " was opened for embeddings; open it by GraftModels.chats");
        }
        return chatRequests;
    }

    /** Cancels the requests in progress and stops the engine. */
    @Override
    public void close() {
        inferenceEngine.close();
    }
}
