package dev.graft.langchain4j;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.serve.Adapters;
import dev.graft.serve.EncoderEngine;
import dev.graft.serve.Engine;
import dev.graft.serve.Worker;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import org.jspecify.annotations.Nullable;

/**
 * One base with its adapters, as models of LangChain4j: all share the base's memory, and answers that are asked for at once are written
 * together, each as if it were alone.
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
    private final Worker worker;
    private final @Nullable Conversations conversations;

    private GraftModels(Adapters adapters, Worker worker, @Nullable Conversations conversations) {
        this.adapters = adapters;
        this.worker = worker;
        this.conversations = conversations;
    }

    /**
     * A base that continues texts. {@link Base#pack} before makes it about twice as fast, a quantised one several times.
     *
     * @param chat the base's chat template
     * @throws InputException if the base continues no texts
     */
    public static GraftModels chats(Adapters adapters, Chat chat, Engine.Options options) {
        Base base = adapters.base();
        Engine engine = new Engine(base, base.tokenizer(), options);
        return new GraftModels(adapters, engine, new Conversations(engine, adapters, chat));
    }

    /**
     * A base that reads whole texts, for their vectors. {@link Base#pack} before makes it several times as fast.
     *
     * @throws InputException if the base is loaded for something else, labels too
     */
    public static GraftModels embeddings(Adapters adapters) {
        Task task = adapters.base().task();
        if (task != Task.FEATURE_EXTRACTION && task != Task.MASKED_LM) {
            throw new InputException(adapters.baseName() + " is loaded for " + task
                    + ", which gives no vectors; load it for FEATURE_EXTRACTION");
        }
        // Who asks waits for the answer, so there are no more calls than threads.
        EncoderEngine.Options unbounded = EncoderEngine.Options.DEFAULT.withQueue(Integer.MAX_VALUE);
        return new GraftModels(adapters, new EncoderEngine(adapters.base(), unbounded), null);
    }

    /** A model that answers with an adapter, or with the base alone: {@link Adapters} says what a name means. It takes the likeliest tokens. */
    public GraftChatModel chat(String model) {
        return chat(model, DefaultChatRequestParameters.EMPTY);
    }

    /** The same with what holds where a request says nothing. */
    public GraftChatModel chat(String model, ChatRequestParameters defaults) {
        return new GraftChatModel(conversations(), model, defaults);
    }

    /** A model that tells its answers as they grow. */
    public GraftStreamingChatModel streamingChat(String model) {
        return streamingChat(model, DefaultChatRequestParameters.EMPTY);
    }

    /** The same with what holds where a request says nothing. */
    public GraftStreamingChatModel streamingChat(String model, ChatRequestParameters defaults) {
        return new GraftStreamingChatModel(conversations(), model, defaults);
    }

    /** A model that gives texts their vectors, {@code [hidden]}, of length 1: the means of their hidden states. */
    public GraftEmbeddingModel embedding(String model) {
        if (!(worker instanceof EncoderEngine engine)) {
            throw new InputException(adapters.baseName() + " was opened for chats; open it by GraftModels.embeddings");
        }
        return new GraftEmbeddingModel(engine, adapters, model);
    }

    private Conversations conversations() {
        if (conversations == null) {
            throw new InputException(adapters.baseName() + " was opened for embeddings; open it by GraftModels.chats");
        }
        return conversations;
    }

    /** Gives up what is being answered. */
    @Override
    public void close() {
        worker.close();
    }
}
