package dev.graft.train.optim;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.WolfeSearch.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * L-BFGS (Liu and Nocedal, 1989) as in PyTorch: each iteration moves along {@code -H g}, where H approximates the inverse Hessian from the
 * last changes of values and gradients. A step is several iterations on the same rows; each computes their gradients again. It suits few
 * parameters and batches with much of the data.
 */
public final class Lbfgs implements Optimizer {
    private static final double LEAST_CURVATURE = 1e-10;

    private final FlatParameters parameters;
    private final Settings settings;
    private final List<CurvaturePair> history = new ArrayList<>();
    private final Tensor direction;
    private final Tensor previous;
    private double length;
    private double scale = 1;
    private long iterations;
    private long steps;

    /** The changes of gradients y and of values s in an iteration, and {@code ρ = 1 / y·s}. */
    private record CurvaturePair(Tensor y, Tensor s, double rho) implements AutoCloseable {
        @Override
        public void close() {
            y.close();
            s.close();
        }
    }

    /**
     * Settings of L-BFGS. PyTorch's defaults are 20, 25, 1e-7, 1e-9, 100 and no line search.
     *
     * @param iterations the maximum number of iterations in a step
     * @param evaluations the number of loss evaluations after which a step starts no further iteration
     * @param gradientTolerance a step ends if no value of the gradient is above this
     * @param changeTolerance a step ends if the change of the loss or of all values is smaller
     * @param history the number of stored changes
     * @param lineSearch true for a step length that meets the strong Wolfe conditions; otherwise it is the learning rate
     */
    public record Settings(
            int iterations,
            int evaluations,
            double gradientTolerance,
            double changeTolerance,
            int history,
            boolean lineSearch)
            implements Optimizer.Settings {
        public static final Settings DEFAULT = new Settings(20, 25, 1e-7, 1e-9, 100, false);

        /** @throws dev.graft.formats.InputException naming the setting that is out of range */
        public Settings {
            Optimizer.require("max_iter", iterations, iterations >= 1, "1 or more");
            Optimizer.require("max_eval", evaluations, evaluations >= 1, "1 or more");
            Optimizer.require("tolerance_grad", gradientTolerance, gradientTolerance >= 0, "0 or more");
            Optimizer.require("tolerance_change", changeTolerance, changeTolerance >= 0, "0 or more");
            Optimizer.require("history_size", history, history >= 1, "1 or more");
        }

        @Override
        public Lbfgs of(FlatParameters parameters) {
            return new Lbfgs(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return (2L * history + 3) * Float.BYTES * values;
        }
    }

    public Lbfgs(FlatParameters parameters, Settings settings) {
        this.parameters = parameters;
        this.settings = settings;
        try (Scope scope = new Scope()) {
            Tensor values = parameters.values();
            direction = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            previous = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
        }
    }

    @Override
    public FlatParameters parameters() {
        return parameters;
    }

    /**
     * Not supported.
     *
     * @throws UnsupportedOperationException always, since L-BFGS needs the loss
     */
    @Override
    public void step(double learningRate) {
        throw new UnsupportedOperationException("L-BFGS looks at the loss at several points");
    }

    @Override
    public void step(double learningRate, double loss, DoubleSupplier again) {
        steps++;
        Tensor gradient = parameters.gradients();
        if (largest(gradient) <= settings.gradientTolerance) {
            return;
        }
        double now = loss;
        int evaluations = 1;
        for (int i = 1; i <= settings.iterations; i++) {
            iterations++;
            updateDirection(gradient);
            double before = now;
            length = iterations == 1 ? Math.min(1, 1 / sum(gradient)) * learningRate : learningRate;
            double slope = dot(gradient, direction);
            if (slope > -settings.changeTolerance) {
                break;
            }
            if (settings.lineSearch) {
                try (SearchLine line = new SearchLine(again)) {
                    WolfeSearch search = new WolfeSearch(
                            new Point(0, now, previous, slope), line::at, settings.evaluations - evaluations);
                    Point found = search.find(length, largest(direction));
                    length = found.t();
                    line.end(found);
                    now = found.loss();
                    evaluations += search.evaluations();
                }
            } else {
                add(parameters.values(), direction, length);
                if (i < settings.iterations) {
                    now = again.getAsDouble();
                    evaluations++;
                }
            }
            if (evaluations >= settings.evaluations
                    || largest(gradient) <= settings.gradientTolerance
                    || largest(direction) * Math.abs(length) <= settings.changeTolerance
                    || Math.abs(now - before) < settings.changeTolerance) {
                break;
            }
        }
    }

    /** Sets the direction to {@code -H g}. */
    private void updateDirection(Tensor gradient) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (iterations > 1) {
                remember(scope, gradient.sub(previous), direction.mul(new Scalar(length)));
            }
            previous.copy_(gradient);
            direction.copy_(gradient).neg_();
            double[] weights = new double[history.size()];
            for (int i = history.size() - 1; i >= 0; i--) {
                CurvaturePair change = history.get(i);
                weights[i] = Tensors.item(change.s.dot(direction)) * change.rho;
                direction.add_(change.y, new Scalar(-weights[i]));
            }
            direction.mul_(new Scalar(scale));
            for (int i = 0; i < history.size(); i++) {
                CurvaturePair change = history.get(i);
                double back = Tensors.item(change.y.dot(direction)) * change.rho;
                direction.add_(change.s, new Scalar(weights[i] - back));
            }
        }
    }

    private void remember(Scope scope, Tensor y, Tensor s) {
        double curvature = Tensors.item(y.dot(s));
        if (curvature <= LEAST_CURVATURE) {
            return;
        }
        if (history.size() == settings.history) {
            history.remove(0).close();
        }
        history.add(new CurvaturePair(scope.release(y), scope.release(s), 1 / curvature));
        scale = curvature / Tensors.item(y.dot(y));
    }

    /** The loss along the direction from the present values. */
    private final class SearchLine implements AutoCloseable {
        private final List<Tensor> copies = new ArrayList<>();
        private final Tensor from;
        private final DoubleSupplier loss;

        SearchLine(DoubleSupplier loss) {
            this.loss = loss;
            this.from = kept(parameters.values());
        }

        Point at(double t) {
            move(t);
            double value = loss.getAsDouble();
            return new Point(t, value, kept(parameters.gradients()), dot(parameters.gradients(), direction));
        }

        void end(Point point) {
            move(point.t());
            try (NoGrad noGrad = new NoGrad()) {
                parameters.gradients().copy_(point.gradient());
            }
        }

        private Tensor kept(Tensor x) {
            Tensor copy = copy(x);
            copies.add(copy);
            return copy;
        }

        @Override
        public void close() {
            copies.forEach(Tensor::close);
        }

        private void move(double t) {
            try (NoGrad noGrad = new NoGrad()) {
                parameters.values().copy_(from);
            }
            add(parameters.values(), direction, t);
        }
    }

    private static Tensor copy(Tensor x) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return scope.release(x.clone());
        }
    }

    private static void add(Tensor x, Tensor y, double factor) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            x.add_(y, new Scalar(factor));
        }
    }

    private static double dot(Tensor a, Tensor b) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return Tensors.item(a.dot(b));
        }
    }

    private static double largest(Tensor x) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return Tensors.item(x.abs().max());
        }
    }

    private static double sum(Tensor x) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return Tensors.item(x.abs().sum());
        }
    }

    @Override
    public long steps() {
        return steps;
    }

    /** Returns the history as rows, and {@code [iterations, length, scale, ρ...]} in double precision. */
    @Override
    public Map<String, Tensor> state() {
        long count = direction.numel();
        Tensor y = Tensors.empty(direction.scalar_type(), history.size(), count);
        Tensor s = Tensors.empty(direction.scalar_type(), history.size(), count);
        Tensor numbers = Tensors.empty(ScalarType.Double, 3 + history.size());
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            double[] values = {iterations, length, scale};
            for (int i = 0; i < values.length; i++) {
                numbers.select(0, i).fill_(new Scalar(values[i]));
            }
            for (int i = 0; i < history.size(); i++) {
                y.select(0, i).copy_(history.get(i).y);
                s.select(0, i).copy_(history.get(i).s);
                numbers.select(0, values.length + i).fill_(new Scalar(history.get(i).rho));
            }
        }
        return Map.of(
                "gradient_changes",
                y,
                "value_changes",
                s,
                "numbers",
                numbers,
                "direction",
                direction,
                "gradient",
                previous);
    }

    @Override
    public void restore(long stepsDone, Map<String, Tensor> saved) {
        Tensor y = saved.get("gradient_changes");
        Tensor s = saved.get("value_changes");
        Tensor numbers = saved.get("numbers");
        long count = direction.numel();
        long size = numbers == null ? -1 : numbers.numel() - 3;
        if (numbers == null
                || y == null
                || s == null
                || size < 0
                || y.numel() != size * count
                || s.numel() != size * count) {
            throw new IllegalArgumentException("the saved optimiser has no history of " + count + " values");
        }
        Optimizer.copy(saved, "direction", direction);
        Optimizer.copy(saved, "gradient", previous);
        double[] values = Tensors.doubles(numbers);
        iterations = (long) values[0];
        length = values[1];
        scale = values[2];
        history.clear();
        for (int i = 0; i < size; i++) {
            history.add(new CurvaturePair(copy(y.select(0, i)), copy(s.select(0, i)), values[3 + i]));
        }
        steps = stepsDone;
    }
}
