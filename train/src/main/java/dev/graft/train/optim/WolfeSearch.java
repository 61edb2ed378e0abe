package dev.graft.train.optim;

import java.util.function.DoubleFunction;
import org.bytedeco.pytorch.Tensor;

/**
 * A step length t along a direction that meets the strong Wolfe conditions (Nocedal and Wright, "Numerical Optimization", algorithms 3.5
 * and 3.6) with cubic interpolation, as in PyTorch's L-BFGS: {@code f(t) ≤ f(0) + c₁ t f'(0)} and {@code |f'(t)| ≤ c₂ |f'(0)|}.
 */
final class WolfeSearch {
    private static final double C1 = 1e-4;
    private static final double C2 = 0.9;
    private static final double NARROWEST = 1e-9;

    private final Point start;
    private final DoubleFunction<Point> evaluate;
    private final int maxEvaluations;
    private int evaluations;

    /**
     * The function along the direction.
     *
     * @param gradient of all parameters there
     * @param slope of the function along the direction
     */
    record Point(double t, double loss, Tensor gradient, double slope) {}

    /**
     * A search.
     *
     * @param start at t = 0
     * @param most evaluations after the first
     */
    WolfeSearch(Point start, DoubleFunction<Point> evaluate, int most) {
        this.start = start;
        this.evaluate = evaluate;
        this.maxEvaluations = most;
    }

    /** Evaluations of the function so far. */
    int evaluations() {
        return evaluations;
    }

    private Point at(double t) {
        evaluations++;
        return evaluate.apply(t);
    }

    private boolean insufficient(Point point) {
        return point.loss > start.loss + C1 * point.t * start.slope;
    }

    private boolean flat(Point point) {
        return Math.abs(point.slope) <= -C2 * start.slope;
    }

    /**
     * The point found, or the best one seen when the evaluations run out.
     *
     * @param first the step length to try first
     * @param largest magnitude in the direction
     */
    Point find(double first, double largest) {
        Point previous = start;
        Point point = at(first);
        for (int tries = 0; tries < maxEvaluations; tries++) {
            if (insufficient(point) || tries > 1 && point.loss >= previous.loss) {
                return zoom(previous, point, tries, largest);
            }
            if (flat(point)) {
                return point;
            }
            if (point.slope >= 0) {
                return zoom(previous, point, tries, largest);
            }
            double least = point.t + 0.01 * (point.t - previous.t);
            double t = interpolate(previous, point, least, 10 * point.t);
            previous = point;
            point = at(t);
        }
        return start.loss <= point.loss ? start : point;
    }

    /** Narrows an interval that holds a good point. */
    private Point zoom(Point a, Point b, int triesBefore, double largest) {
        Point low = a.loss <= b.loss ? a : b;
        Point high = low == a ? b : a;
        boolean slow = false;
        for (int tries = triesBefore; tries < maxEvaluations; tries++) {
            double left = Math.min(low.t, high.t);
            double right = Math.max(low.t, high.t);
            if ((right - left) * largest < NARROWEST) {
                break;
            }
            double t = interpolate(low, high, left, right);
            double margin = 0.1 * (right - left);
            if (Math.min(right - t, t - left) < margin) {
                if (slow || t >= right || t <= left) {
                    t = Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin;
                    slow = false;
                } else {
                    slow = true;
                }
            } else {
                slow = false;
            }
            Point point = at(t);
            if (insufficient(point) || point.loss >= low.loss) {
                high = point;
            } else {
                if (flat(point)) {
                    return point;
                }
                if (point.slope * (high.t - low.t) >= 0) {
                    high = low;
                }
                low = point;
            }
        }
        return low;
    }

    /** The minimum of the cubic through both points with their slopes, kept within bounds; their middle where it has none. */
    private static double interpolate(Point one, Point other, double least, double most) {
        Point left = one.t <= other.t ? one : other;
        Point right = left == one ? other : one;
        double d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.t - right.t);
        double square = d1 * d1 - left.slope * right.slope;
        if (!(square >= 0)) {
            return (least + most) / 2;
        }
        double d2 = Math.sqrt(square);
        double t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
        return Math.min(Math.max(t, least), most);
    }
}
