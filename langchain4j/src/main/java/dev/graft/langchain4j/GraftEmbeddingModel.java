package dev.graft.langchain4j;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.Adapters;
import dev.graft.serve.Embedder;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.model.output.TokenUsage;
import java.util.List;

/** An adapter, or its base, as an embedding model. Made by {@link GraftModels}; safe for use by several threads. */
public final class GraftEmbeddingModel implements EmbeddingModel {
    private final Adapters adapters;
    private final Embedder embedder;
    private final String model;

    GraftEmbeddingModel(Adapters adapters, String model) {
        this.adapters = adapters;
        this.embedder = new Embedder(adapters.base());
        this.model = model;
    }

    /** @throws InvalidRequestException if the tokenizer can't read a text, or a text is longer than the base can read */
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
        int longest = adapters.base().backbone().maxPositions();
        int tokens = 0;
        for (int i = 0; i < texts.size(); i++) {
            int length = texts.get(i).length();
            if (length == 0 || length > longest) {
                throw new InvalidRequestException(
                        "text " + i + " has " + length + " tokens, " + model + " takes from 1 to " + longest);
            }
            tokens += length;
        }
        try (Adapters.Lease lease = adapters.lease(model)) {
            List<Embedding> vectors = embedder
                    .embed(texts, lease.served().selection().hooks())
                    .stream()
                    .map(Embedding::from)
                    .toList();
            return Response.from(vectors, new TokenUsage(tokens, 0));
        }
    }

    @Override
    public int dimension() {
        return adapters.base().backbone().hiddenSize();
    }

    @Override
    public String modelName() {
        return model;
    }
}
