package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.SentencePooling;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Target;
import dev.graft.train.data.TrainingObjective;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** {@link TrainingObjective.Embedding}: the loss of vectors of texts, by the formulas of sentence-transformers 5. */
final class EmbeddingLoss implements LossFunction {
    private static final int SUM = 2;
    private static final double DISTANCE_EPSILON = 1e-6;
    private static final double COSINE_EPSILON = 1e-8;

    private final Base base;
    private final TrainingObjective.Embedding objective;
    private final SentencePooling pooling;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;

    EmbeddingLoss(Base base, TrainingObjective.Embedding objective, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.base = base;
        this.objective = objective;
        this.pooling = base.sentencePooling();
        this.passes = passes;
        int whole = base.backbone().outputSize();
        for (int size : objective.sizes()) {
            if (size > whole) {
                throw new InputException("embedding.sizes has " + size + ", but the vectors of " + base.name()
                        + " have " + whole + " dimensions");
            }
        }
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return BackwardPass.run(
                () -> passes.apply(hooks, batch), pass -> loss(vectors(batch, pass), batch), divisor, batch.units());
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor vectors = vectors(batch, ForwardPass.evaluation(hooks));
            float[] values = Tensors.floats(vectors);
            int size = values.length / batch.rows();
            for (int unit = 0; unit < batch.units(); unit++) {
                List<Prediction.EmbeddedText> texts = new ArrayList<>();
                int first = unit * batch.groupSize();
                for (int row = first; row < first + batch.groupSize(); row++) {
                    texts.add(new Prediction.EmbeddedText(
                            ids(batch, row), Arrays.copyOfRange(values, row * size, (row + 1) * size)));
                }
                double score =
                        batch.targets() instanceof BatchTargets.Scores scores ? scores.values()[first] : Double.NaN;
                predictions.accept(new Prediction.Embedded(batch.rowIndices()[first], texts, score));
            }
            // Texts alone are compared with none.
            double sum = batch.groupSize() == 1 ? 0 : Tensors.item(loss(vectors, batch));
            return new Loss(sum, batch.units());
        }
    }

    private static IntBuffer ids(Batch batch, int row) {
        int[] ids = new int[batch.lengths()[row]];
        Arrays.setAll(ids, i -> (int) batch.ids()[row * batch.width() + i]);
        return IntBuffer.wrap(ids);
    }

    /** {@code [rows, size]} */
    private Tensor vectors(Batch batch, ForwardPass pass) {
        return pooling.of(base.forward(LossFunction.inputs(batch), pass));
    }

    private Tensor loss(Tensor rows, Batch batch) {
        Tensor vectors = rows.view(batch.units(), batch.groupSize(), rows.size(1));
        if (objective.sizes().isEmpty()) {
            return whole(vectors, batch);
        }
        return objective.sizes().stream()
                .map(size -> whole(SentencePooling.unit(vectors.narrow(2, 0, size)), batch))
                .reduce(Tensor::add)
                .orElseThrow();
    }

    /** @param vectors {@code [units, texts, size]} */
    private Tensor whole(Tensor vectors, Batch batch) {
        Tensor anchors = vectors.select(1, 0);
        Tensor positives = vectors.select(1, 1);
        return switch (objective.form()) {
            case IN_BATCH_NEGATIVES -> {
                Tensor texts = batch.groupSize() == 2 ? positives : Ops.cat(0, positives, vectors.select(1, 2));
                Tensor cosines = SentencePooling.unit(anchors)
                        .matmul(SentencePooling.unit(texts).t());
                long units = batch.units();
                Tensor own = Tensors.of(LongStream.range(0, units).toArray(), units);
                yield torch.cross_entropy_loss(
                        Ops.scale(cosines, objective.scale()), own, new TensorOptional(), SUM, Target.NONE, 0);
            }
            case COSINE ->
                torch.mse_loss(torch.cosine_similarity(anchors, positives, 1, COSINE_EPSILON), scores(batch), SUM);
            case TRIPLET -> {
                Tensor near = torch.pairwise_distance(anchors, positives, 2, DISTANCE_EPSILON, false);
                Tensor far = torch.pairwise_distance(anchors, vectors.select(1, 2), 2, DISTANCE_EPSILON, false);
                yield torch.relu(Ops.plus(near.sub(far), objective.margin())).sum();
            }
        };
    }

    /** The similarities that rows say, {@code [units]}. */
    private static Tensor scores(Batch batch) {
        float[] all = ((BatchTargets.Scores) batch.targets()).values();
        float[] own = new float[batch.units()];
        for (int unit = 0; unit < own.length; unit++) {
            own[unit] = all[unit * batch.groupSize()];
        }
        return Tensors.of(own, own.length);
    }
}
