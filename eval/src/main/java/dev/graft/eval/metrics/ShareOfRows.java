package dev.graft.eval.metrics;

/** The share of rows that are right. */
abstract class ShareOfRows<O> implements Metric<O> {
    private long right;
    private long total;

    abstract boolean isRight(O row);

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(O row) {
        total++;
        if (isRight(row)) {
            right++;
        }
    }

    @Override
    public double value() {
        if (total == 0) {
            throw new NoRowsException(name());
        }
        return (double) right / total;
    }
}
