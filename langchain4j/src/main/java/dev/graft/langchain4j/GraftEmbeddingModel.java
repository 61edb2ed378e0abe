package dev.graft.langchain4j;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.Adapters;
import dev.graft.serve.EncoderAsk;
import dev.graft.serve.EncoderEngine;
import dev.graft.serve.EncoderListener;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.model.output.TokenUsage;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** An adapter, or its base, as an embedding model. Made by {@link GraftModels}; safe for use by several threads. */
public final class GraftEmbeddingModel implements EmbeddingModel {
    private final EncoderEngine engine;
    private final Adapters adapters;
    private final String model;

    GraftEmbeddingModel(EncoderEngine engine, Adapters adapters, String model) {
        this.engine = engine;
        this.adapters = adapters;
        this.model = model;
    }

    /**
     * All by the adapter that the name means when the call begins. Calls of several threads take turns, so that a long one holds up no other.
     *
     * @throws InvalidRequestException if the tokenizer can't read a text, or a text is longer than the base can read; none is read then
     */
    @Override
    public Response<List<Embedding>> embedAll(List<TextSegment> segments) {
        try {
            return vectors(segments);
        } catch (RuntimeException failure) {
            throw Conversations.told(failure);
        }
    }

    private Response<List<Embedding>> vectors(List<TextSegment> segments) {
        List<Encoding> texts = adapters.base()
                .tokenizer()
                .encodeAll(segments.stream().map(TextSegment::text).toList(), EncodeOptions.DEFAULT);
        int tokens = texts.stream().mapToInt(Encoding::length).sum();
        List<float[]> vectors = texts.isEmpty() ? List.of() : read(texts);
        return Response.from(vectors.stream().map(Embedding::from).toList(), new TokenUsage(tokens, 0));
    }

    private List<float[]> read(List<Encoding> texts) {
        CompletableFuture<List<float[]>> answers = new CompletableFuture<>();
        Adapters.Lease lease = adapters.lease(model);
        String turn = UUID.randomUUID().toString();
        try {
            engine.submit(
                    new EncoderAsk(texts, lease.served(), turn, Long.MAX_VALUE),
                    EncoderListener.completing(answers, lease));
        } catch (RuntimeException refused) {
            lease.close();
            throw refused;
        }
        try {
            return answers.join();
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RuntimeException why ? why : failed;
        }
    }

    @Override
    public int dimension() {
        return adapters.base().backbone().outputSize();
    }

    @Override
    public String modelName() {
        return model;
    }
}
