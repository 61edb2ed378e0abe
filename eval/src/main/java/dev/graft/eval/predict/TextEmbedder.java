package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.EmbeddingEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.loss.Prediction;
import java.util.List;

/**
 * Embeds texts: a vector of the base's hidden size for each, pooled as the model's configuration says.
 *
 * <pre>{@code
 * List<float[]> vectors = new TextEmbedder(base, 32).embed(rows, Selection.of(adapter).hooks());
 * }</pre>
 */
public record TextEmbedder(Base base, int batchSize) {
    /** Returns the vectors {@code [hidden]} of texts in their order; a text longer than the base's maximum is cut. */
    public List<float[]> embed(Rows rows, Hooks hooks) {
        Examples examples = Examples.encode(
                rows,
                new EmbeddingEncoder(base.tokenizer(), TrainingObjective.Embedding.DEFAULT),
                base.backbone().maxPositions(),
                Overflow.TRUNCATE);
        float[][] vectors = new float[rows.size()][];
        new Predictor(base, examples, batchSize)
                .predict(
                        hooks,
                        prediction -> vectors[prediction.row()] = ((Prediction.Embedded) prediction)
                                .texts()
                                .get(0)
                                .vector());
        return List.of(vectors);
    }
}
