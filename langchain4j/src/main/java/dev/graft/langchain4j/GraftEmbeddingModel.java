package dev.graft.langchain4j;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.EncodeListener;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncoderEngine;
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

/** An adapter, or its base, as an embedding model. Created by {@link GraftModels}; safe for use by several threads. */
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
     * Embeds texts with the adapter that the name resolves to when the call begins. Concurrent calls are scheduled fairly, so that a long
     * one doesn't delay the others.
     *
     * @throws InvalidRequestException if the tokenizer rejects a text, or a text is longer than the base's maximum; no text is embedded
     *     then
     */
    @Override
    public Response<List<Embedding>> embedAll(List<TextSegment> segments) {
        try {
            return vectors(segments);
        } catch (RuntimeException failure) {
            throw ChatRequests.mapException(failure);
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
                    new EncodeRequest(texts, lease.model(), turn, Long.MAX_VALUE),
                    EncodeListener.completing(answers, lease::close));
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
