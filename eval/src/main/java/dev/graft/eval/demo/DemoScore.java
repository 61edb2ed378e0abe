package dev.graft.eval.demo;

import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.train.loss.Prediction.SingleLabel;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The score of a model on the test rows.
 *
 * @param confusion the confusion matrix on the test rows
 * @param seconds the duration of the training
 */
public record DemoScore(ConfusionMatrix confusion, double seconds) {

    static DemoScore of(float[][] logits, int[] classes, int outputs, double seconds) {
        ConfusionMatrix confusion = new ConfusionMatrix(outputs);
        for (int i = 0; i < classes.length; i++) {
            confusion.add(new ClassPrediction(classes[i], predicted(logits[i])));
        }
        return new DemoScore(confusion, seconds);
    }

    static int predicted(float[] logits) {
        return new SingleLabel(0, 0, logits).predicted();
    }

    public double accuracy() {
        return confusion.accuracy();
    }

    public double macroF1() {
        return confusion.scores(Average.MACRO).f1();
    }

    ObjectNode toJson() {
        return JsonNodeFactory.instance
                .objectNode()
                .put("accuracy", accuracy())
                .put("macro_f1", macroF1())
                .put("seconds", seconds);
    }
}
