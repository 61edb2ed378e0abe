package dev.graft.eval.demo;

import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.train.loss.Prediction.OneClass;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * How well something does on the test rows.
 *
 * @param seconds that its training took
 */
public record Score(ConfusionMatrix confusion, double seconds) {

    static Score of(float[][] logits, int[] classes, int outputs, double seconds) {
        ConfusionMatrix confusion = new ConfusionMatrix(outputs);
        for (int i = 0; i < classes.length; i++) {
            confusion.add(new ClassPrediction(classes[i], predicted(logits[i])));
        }
        return new Score(confusion, seconds);
    }

    static int predicted(float[] logits) {
        return new OneClass(0, 0, logits).predicted();
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
