package dev.graft.models.audio;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The log-mel spectrogram, the input of Whisper (Radford et al., 2022): the energies of a recording in bands that are evenly spaced on the mel
 * scale. They are {@code log10} values, clipped at 8 below the largest and scaled to about -1 to 1. Recordings are padded with silence, or cut
 * off, to one length.
 *
 * <pre>{@code
 * LogMel logMel = LogMel.read(model.resolve("preprocessor_config.json"));
 * float[] spectrogram = logMel.of(Waveform.read(file)); // [bands, frames]
 * }</pre>
 */
public final class LogMel {
    private static final double FLOOR = 1e-10;

    private final int bands;
    /** The largest {@code n_fft}: its sines and cosines need 64 MiB. */
    private static final int MOST_WINDOW = 1 << 12;

    private final int rate;
    private final int hop;
    private final int window;
    private final int seconds;
    private final double[] hann;
    private final double[][] cosines;
    private final double[][] sines;
    private final double[][] filters;

    /**
     * Creates one with the settings of a {@code preprocessor_config.json}.
     *
     * @param bands {@code feature_size}
     * @param rate {@code sampling_rate}
     * @param hop {@code hop_length}, the samples between frames
     * @param window {@code n_fft}, the samples of a frame; even
     * @param seconds {@code chunk_length}
     */
    public LogMel(int bands, int rate, int hop, int window, int seconds) {
        this.bands = bands;
        this.rate = rate;
        this.hop = hop;
        this.window = window;
        this.seconds = seconds;
        hann = new double[window];
        int half = window / 2;
        cosines = new double[half + 1][half + 1];
        sines = new double[half + 1][half + 1];
        for (int i = 0; i < window; i++) {
            hann[i] = 0.5 - 0.5 * Math.cos(2 * Math.PI * i / window);
        }
        for (int bin = 0; bin <= half; bin++) {
            for (int i = 0; i <= half; i++) {
                double angle = 2 * Math.PI * ((long) bin * i % window) / window;
                cosines[bin][i] = Math.cos(angle);
                sines[bin][i] = Math.sin(angle);
            }
        }
        filters = filters();
    }

    /** Returns the settings of Whisper's first models. */
    public static LogMel whisper(int bands) {
        return new LogMel(bands, 16_000, 160, 400, 30);
    }

    /**
     * Reads a {@code preprocessor_config.json}; without one, Whisper's settings.
     *
     * @throws InputException if it is of another kind of model
     */
    public static LogMel read(Path file, int bands) {
        if (!Files.isRegularFile(file)) {
            return whisper(bands);
        }
        Fields f = Fields.read(file);
        f.choice("feature_extractor_type", "WhisperFeatureExtractor", "WhisperFeatureExtractor");
        if (f.number("padding_value", 0) != 0 || f.number("dither", 0) != 0 || f.bool("do_normalize", false)) {
            throw f.invalid("padding_value, dither or do_normalize", "0, 0 and false: silence is zeros without noise");
        }
        int window = f.integer("n_fft", 400, 2, MOST_WINDOW);
        if (window % 2 != 0) {
            throw f.invalid("n_fft", "an even number");
        }
        int found = f.integer("feature_size", 80, 1);
        if (found != bands) {
            throw f.invalid("feature_size", bands + ", as num_mel_bins of the model's config.json");
        }
        int rate = f.integer("sampling_rate", 16_000, 1);
        int seconds = f.integer("chunk_length", 30, 1);
        if ((long) rate * seconds > Waveform.MOST_SAMPLES) {
            throw f.invalid(
                    "chunk_length", "at most " + Waveform.MOST_SAMPLES / rate + " at a sampling_rate of " + rate);
        }
        return new LogMel(bands, rate, f.integer("hop_length", 160, 1), window, seconds);
    }

    public int bands() {
        return bands;
    }

    public int frames() {
        return seconds * rate / hop;
    }

    /** Returns the maximum length of a recording, in seconds; longer ones are cut off. */
    public int seconds() {
        return seconds;
    }

    /** Returns whether another has the same settings, and so the same spectrogram of every recording. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof LogMel logMel
                && bands == logMel.bands
                && rate == logMel.rate
                && hop == logMel.hop
                && window == logMel.window
                && seconds == logMel.seconds;
    }

    @Override
    public int hashCode() {
        return Objects.hash(bands, rate, hop, window, seconds);
    }

    /** Returns its settings by their names in {@code preprocessor_config.json}. */
    @Override
    public String toString() {
        return "feature_size " + bands + ", sampling_rate " + rate + ", hop_length " + hop + ", n_fft " + window
                + ", chunk_length " + seconds;
    }

    /** Returns the spectrogram of a recording of any rate, {@code [bands, frames]}, row-major. */
    public float[] of(Waveform waveform) {
        float[] samples = waveform.resample(rate).samples();
        int length = Math.min(samples.length, seconds * rate);
        int frames = frames();
        double[][] logs = new double[frames][];
        double[] silence = new double[bands];
        Arrays.fill(silence, Math.log10(FLOOR));
        double largest = Math.log10(FLOOR);
        double[] frame = new double[window];
        for (int f = 0; f < frames; f++) {
            int start = f * hop - window / 2;
            logs[f] = start >= length && start + window <= seconds * rate
                    ? silence
                    : bands(frame, samples, start, length);
            largest = Math.max(largest, Arrays.stream(logs[f]).max().orElse(largest));
        }
        float[] values = new float[bands * frames];
        for (int band = 0; band < bands; band++) {
            for (int f = 0; f < frames; f++) {
                values[band * frames + f] = (float) ((Math.max(logs[f][band], largest - 8) + 4) / 4);
            }
        }
        return values;
    }

    private double[] bands(double[] frame, float[] samples, int start, int length) {
        int total = seconds * rate;
        for (int i = 0; i < window; i++) {
            // At both ends the recording is mirrored.
            int at = Math.abs(start + i);
            at = at >= total ? 2 * (total - 1) - at : at;
            frame[i] = at < length ? hann[i] * samples[at] : 0;
        }
        int half = window / 2;
        // A cosine is the same on both sides of the middle, a sine the opposite.
        double[] even = new double[half + 1];
        double[] odd = new double[half + 1];
        even[0] = frame[0];
        even[half] = frame[half];
        for (int i = 1; i < half; i++) {
            even[i] = frame[i] + frame[window - i];
            odd[i] = frame[i] - frame[window - i];
        }
        double[] energies = new double[bands];
        for (int bin = 0; bin <= half; bin++) {
            double real = 0;
            double imaginary = 0;
            double[] cosine = cosines[bin];
            double[] sine = sines[bin];
            for (int i = 0; i <= half; i++) {
                real += even[i] * cosine[i];
                imaginary += odd[i] * sine[i];
            }
            double power = real * real + imaginary * imaginary;
            for (int band = 0; band < bands; band++) {
                energies[band] += filters[bin][band] * power;
            }
        }
        for (int band = 0; band < bands; band++) {
            energies[band] = Math.log10(Math.max(energies[band], FLOOR));
        }
        return energies;
    }

    /** Returns triangles of equal width on Slaney's mel scale and of equal area, {@code [bin][band]}, up to 8 kHz. */
    private double[][] filters() {
        double[] corners = new double[bands + 2];
        for (int i = 0; i < corners.length; i++) {
            corners[i] = hertz(mel(8000) * i / (bands + 1));
        }
        int half = window / 2;
        double[][] weights = new double[half + 1][bands];
        for (int bin = 0; bin <= half; bin++) {
            double frequency = (double) (rate / 2) * bin / half;
            for (int band = 0; band < bands; band++) {
                double rising = (frequency - corners[band]) / (corners[band + 1] - corners[band]);
                double falling = (corners[band + 2] - frequency) / (corners[band + 2] - corners[band + 1]);
                double area = 2 / (corners[band + 2] - corners[band]);
                weights[bin][band] = Math.max(0, Math.min(rising, falling)) * area;
            }
        }
        return weights;
    }

    /** Linear up to 1 kHz, then logarithmic. */
    private static double mel(double hertz) {
        return hertz < 1000 ? 3 * hertz / 200 : 15 + Math.log(hertz / 1000) * 27 / Math.log(6.4);
    }

    private static double hertz(double mel) {
        return mel < 15 ? 200 * mel / 3 : 1000 * Math.exp((mel - 15) * Math.log(6.4) / 27);
    }
}
