package dev.graft.eval.metrics;

import java.util.function.DoubleUnaryOperator;

/** The mean of a function of the errors {@code prediction - target}: MSE, MAE or RMSE. */
public final class MeanError implements Metric<ValuePrediction> {

    private final String name;
    private final DoubleUnaryOperator penalty;
    private final DoubleUnaryOperator finish;
    private double sum;
    private long rows;

    private MeanError(String name, DoubleUnaryOperator penalty, DoubleUnaryOperator finish) {
        this.name = name;
        this.penalty = penalty;
        this.finish = finish;
    }

    /** The mean squared error, {@code mse}. */
    public static MeanError squared() {
        return new MeanError("mse", error -> error * error, mean -> mean);
    }

    /** The mean absolute error, {@code mae}. */
    public static MeanError absolute() {
        return new MeanError("mae", Math::abs, mean -> mean);
    }

    /** The root of the mean squared error, {@code rmse}, in the unit of the target. */
    public static MeanError rootSquared() {
        return new MeanError("rmse", error -> error * error, Math::sqrt);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(ValuePrediction row) {
        sum += penalty.applyAsDouble(row.prediction() - row.target());
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name);
        }
        return finish.applyAsDouble(sum / rows);
    }
}
