package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.data.Teacher;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** The losses that training minimises, on given logits. */
final class LossParity {
    private static final Tolerance FLOAT = new Tolerance(1e-6, 1e-6);

    private LossParity() {}

    /** Cross-entropy of labels, smoothed and plain; -100 is no label. */
    static void smoothed(CaseCheck check, JsonNode stored) {
        int[] labels =
                stored.path("labels").valueStream().mapToInt(JsonNode::intValue).toArray();
        int classes = stored.path("logits").size() / labels.length;
        Tensor logits = logits(stored, 1, labels.length, classes).set_requires_grad(true);
        Base base = FixedLogits.of(Task.TOKEN_CLS, classes);
        Batch batch = batch(List.of(new Target.Tokens(labels)), labels.length);
        double epsilon = stored.path("epsilon").doubleValue();

        LossFunction lossFunction = Losses.of(base, epsilon);
        long terms = lossFunction.terms(FixedLogits.hooks(logits), batch);
        Loss loss = lossFunction.backward(FixedLogits.hooks(logits), batch, terms);
        number(check, "loss", loss.mean(), stored);
        number(check, "torch_label_smoothing", loss.mean(), stored);
        check.values("gradient", Tensors.doubles(logits.grad()), doubles(stored.path("gradient")), FLOAT);
        double plain =
                Losses.of(base, 0).evaluate(FixedLogits.hooks(logits), batch).mean();
        number(check, "cross_entropy", plain, stored);
    }

    /** Binary cross-entropy of several labels, and the squared error of numbers. */
    static void binary(CaseCheck check, JsonNode stored) {
        double[] targets = doubles(stored.path("targets"));
        float[] hot = new float[targets.length];
        List<Target> scores = new ArrayList<>();
        for (int i = 0; i < hot.length; i++) {
            hot[i] = (float) targets[i];
            scores.add(new Target.Score(hot[i]));
        }
        number(check, "bce_with_logits", sequence(stored, hot.length, List.of(new Target.MultiHot(hot))), stored);
        number(check, "mse", sequence(stored, 1, scores), stored);
    }

    /** Compares the divergence of a student's logits from a teacher's, for tokens and for whole rows. */
    static void distillation(CaseCheck check, JsonNode stored) {
        int rows = stored.path("shape").path(0).intValue();
        int classes = stored.path("shape").path(1).intValue();
        double temperature = stored.path("temperature").doubleValue();
        List<Target> labels = Collections.nCopies(rows, new Target.ClassId(0));
        number(
                check,
                "distillation",
                taught(
                        stored,
                        Task.TOKEN_CLS,
                        temperature,
                        batch(List.of(new Target.Tokens(new int[rows])), rows),
                        1,
                        rows,
                        classes),
                stored);
        number(
                check,
                "distillation",
                taught(stored, Task.SEQ_CLS, temperature, batch(labels, 1), rows, 1, classes),
                stored);
    }

    private static double taught(JsonNode stored, Task task, double temperature, Batch batch, long... shape) {
        Base base = FixedLogits.of(task, (int) shape[2]);
        Teacher teacher = new Teacher(base, FixedLogits.hooks(values(stored, "teacher", shape)), "given logits");
        LossFunction lossFunction = Losses.of(base, new TrainingObjective.Distill(teacher, temperature, 1), 0);
        Hooks student = FixedLogits.hooks(values(stored, "student", shape).set_requires_grad(true));
        return lossFunction
                .backward(student, batch, lossFunction.terms(student, batch))
                .mean();
    }

    private static double sequence(JsonNode stored, int classes, List<Target> targets) {
        Tensor logits = logits(stored, targets.size(), 1, classes);
        return Losses.of(FixedLogits.of(Task.SEQ_CLS, classes), 0)
                .evaluate(FixedLogits.hooks(logits), batch(targets, 1))
                .mean();
    }

    private static Batch batch(List<Target> targets, int width) {
        List<Example> examples = new ArrayList<>();
        for (Target target : targets) {
            examples.add(new Example(examples.size(), new int[width], null, target));
        }
        return Batch.of(examples, 0);
    }

    private static Tensor logits(JsonNode stored, long... shape) {
        return values(stored, "logits", shape);
    }

    private static Tensor values(JsonNode stored, String name, long... shape) {
        double[] values = doubles(stored.path(name));
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return Tensors.of(floats, shape);
    }

    private static double[] doubles(JsonNode array) {
        return array.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
    }

    private static void number(CaseCheck check, String name, double got, JsonNode stored) {
        check.number(name, got, stored.path(name).doubleValue(), FLOAT);
    }
}
