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
import java.util.ArrayList;
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

    /** @throws InvalidRequestException if a text is longer than the base can read */
    @Override
    public Response<List<Embedding>> embedAll(List<TextSegment> segments) {
        List<Embedding> vectors = new ArrayList<>();
        int tokens = 0;
        try (Adapters.Lease lease = adapters.lease(model)) {
            for (TextSegment segment : segments) {
                Encoding text = adapters.base().tokenizer().encode(segment.text(), EncodeOptions.DEFAULT);
                int longest = adapters.base().backbone().maxPositions();
                if (text.length() == 0 || text.length() > longest) {
                    throw new InvalidRequestException("text " + vectors.size() + " has " + text.length() + " tokens, "
                            + model + " takes from 1 to " + longest);
                }
                vectors.add(Embedding.from(
                        embedder.embed(text, lease.served().selection().hooks())));
                tokens += text.length();
            }
        } catch (RuntimeException failure) {
            throw Conversations.told(failure);
        }
        return Response.from(vectors, new TokenUsage(tokens, 0));
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
