package dev.graft.models.audio;

/**
 * Changes the sampling rate by interpolation with a sinc, as torchaudio's {@code resample} does by default. A Hann
 * window ends the sinc after six zero crossings. The cut-off is at 0.99 of the lower of the two Nyquist frequencies.
 * Formula: Smith, Digital Audio Resampling, 2020.
 */
final class AudioResampler {
    private static final int CROSSINGS = 6;
    private static final double ROLLOFF = 0.99;

    private final int from;
    private final int to;
    private final int[] starts;
    private final float[][] taps;

    AudioResampler(int rate, int newRate) {
        int common = gcd(rate, newRate);
        from = rate / common;
        to = newRate / common;
        double cutoff = Math.min(from, to) * ROLLOFF;
        int reach = (int) Math.ceil(CROSSINGS * from / cutoff);
        starts = new int[to];
        taps = new float[to][];
        for (int phase = 0; phase < to; phase++) {
            double at = (double) phase * from / to;
            starts[phase] = (int) Math.floor(at) - reach;
            taps[phase] = new float[2 * reach + 2];
            for (int i = 0; i < taps[phase].length; i++) {
                float t = (-(float) phase / to + (float) (starts[phase] + i) / from) * (float) cutoff;
                if (Math.abs(t) < CROSSINGS) {
                    float window = (float) Math.cos(t * (float) Math.PI / CROSSINGS / 2);
                    float angle = t * (float) Math.PI;
                    float sinc = t == 0 ? 1 : (float) Math.sin(angle) / angle;
                    taps[phase][i] = sinc * (window * window * (float) (cutoff / from));
                }
            }
        }
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    float[] apply(float[] samples) {
        float[] result = new float[Math.toIntExact(((long) samples.length * to + from - 1) / from)];
        for (int i = 0; i < result.length; i++) {
            int phase = i % to;
            int first = Math.toIntExact((long) (i / to) * from + starts[phase]);
            float[] weights = taps[phase];
            double sum = 0;
            for (int k = Math.max(0, -first); k < Math.min(weights.length, samples.length - first); k++) {
                sum += weights[k] * samples[first + k];
            }
            result[i] = (float) sum;
        }
        return result;
    }
}
