package dev.graft.eval.metrics;

import java.util.ArrayList;
import java.util.List;

/** A correlation of ranks: it needs all rows, so it keeps their pairs of numbers. */
abstract class RankCorrelation implements Metric<ValuePrediction> {
    private final List<ValuePrediction> rows = new ArrayList<>();

    /** Returns the correlation of at least one row; NaN if targets or predictions are constant. */
    abstract double correlation(List<ValuePrediction> rows);

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(ValuePrediction row) {
        rows.add(row);
    }

    @Override
    public double value() {
        if (rows.isEmpty()) {
            throw new NoRowsException(name());
        }
        return correlation(rows);
    }
}
