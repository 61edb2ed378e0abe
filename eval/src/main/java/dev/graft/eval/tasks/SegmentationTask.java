package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.eval.predict.rows.SegmentationRowPredictor;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.SegmentationEncoder;
import dev.graft.train.data.Target;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Semantic segmentation: a class for each pixel of an image. */
record SegmentationTask() implements TaskType {
    @Override
    public String option() {
        return "semantic_segmentation";
    }

    @Override
    public Task head() {
        return Task.SEMANTIC_SEG;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.IMAGE_MASK);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.IMAGE_MASK;
    }

    @Override
    public String purpose() {
        return "segmenting images";
    }

    @Override
    public Label.Kind kind(Dataset rows) {
        return Label.Kind.EACH;
    }

    /** Returns the class numbers up to the largest in the masks. */
    @Override
    public Labels labels(Dataset rows) {
        int largest = 0;
        for (int i = 0; i < rows.size(); i++) {
            for (byte value :
                    SegmentationEncoder.mask(((Row.Masked) rows.get(i)).mask()).values()) {
                int one = value & 0xFF;
                largest = one == Target.Pixels.UNLABELLED ? largest : Math.max(largest, one);
            }
        }
        if (largest == 0) {
            throw new InputException(
                    rows.place(0) + ": the masks have no class but 0, so there is nothing to tell apart");
        }
        return Labels.ofNames(
                IntStream.rangeClosed(0, largest).mapToObj(Integer::toString).toList());
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new SegmentationEncoder(base.imageProcessor(), rows.labels().size());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.points(rows.labels().size());
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new SegmentationRowPredictor(model, options);
    }

    @Override
    public boolean readsImages() {
        return true;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(1e-3, 32);
    }
}
