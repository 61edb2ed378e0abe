package dev.graft.eval.metrics;

/**
 * The bits a language model needs for a byte of UTF-8 text. Unlike perplexity it compares models with different
 * tokenizers. Lower is better.
 */
public final class BitsPerByte implements Metric<BitsPerByte.Row> {

    /**
     * The likelihood and length of a text.
     *
     * @param negativeLogLikelihood the sum over its tokens, natural logarithm
     * @param bytes its length in UTF-8
     */
    public record Row(double negativeLogLikelihood, long bytes) {}

    private double nats;
    private long bytes;

    @Override
    public String name() {
        return "bits_per_byte";
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(Row row) {
        nats += row.negativeLogLikelihood;
        bytes += row.bytes;
    }

    @Override
    public double value() {
        if (bytes == 0) {
            throw new NoRowsException(name());
        }
        return nats / Math.log(2) / bytes;
    }
}
