package dev.graft.models.audio;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

/**
 * A recording with one channel.
 *
 * <pre>{@code
 * Waveform speech = Waveform.read(Path.of("memo.flac")).resample(16_000);
 * }</pre>
 *
 * @param samples from -1 to 1
 * @param rate samples per second
 */
@SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
public record Waveform(float[] samples, int rate) {
    /** The number of seconds at the end of a chunk that are searched for the place to cut. */
    private static final int SEARCHED = 5;

    /**
     * The maximum length of a recording, which is kept in memory whole. It is 4.6 hours at 16,000 samples per second,
     * or 1 GiB. It is less where Java's heap is too small to read so much.
     */
    static final int MOST_SAMPLES = (int) Math.min(1 << 28, Runtime.getRuntime().maxMemory() / 16);

    /** The maximum size of a file: that number of samples in 32 bits. */
    private static final long MOST_BYTES = 4L * MOST_SAMPLES;

    /**
     * Reads a WAV file (PCM of 8, 16, 24 or 32 bits or floating point), a FLAC file, or another format that Java reads,
     * such as AIFF and AU. Several channels are averaged.
     *
     * @throws InputException if it is none of these, or damaged
     */
    public static Waveform read(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw tooLong(file);
            }
            byte[] bytes = Files.readAllBytes(file);
            return bytes.length > 4 && bytes[0] == 'f' && bytes[1] == 'L' && bytes[2] == 'a' && bytes[3] == 'C'
                    ? of(new FlacDecoder(file, bytes, MOST_SAMPLES, () -> tooLong(file)).sound())
                    : sampled(file, bytes);
        } catch (IOException e) {
            throw new FileAccessException(file + ": cannot be read", e);
        }
    }

    private static Waveform of(FlacDecoder.Samples decoded) {
        return new Waveform(decoded.values(), decoded.rate());
    }

    private static FormatException tooLong(Path file) {
        return new FormatException(
                file,
                "is too long to be held whole: at most " + MOST_SAMPLES + " samples in " + MOST_BYTES
                        + " bytes are read with this Java heap; cut it into parts");
    }

    private static Waveform sampled(Path file, byte[] bytes) throws IOException {
        try (AudioInputStream in = AudioSystem.getAudioInputStream(new ByteArrayInputStream(bytes))) {
            AudioFormat format = in.getFormat();
            int rate = Math.round(format.getSampleRate());
            if (rate < 1 || format.getChannels() < 1) {
                throw new FormatException(file, "has " + format.getChannels() + " channels of " + rate + " Hz");
            }
            return new Waveform(mixed(file, all(in), format), rate);
        } catch (UnsupportedAudioFileException | IllegalArgumentException e) {
            throw new InputException(
                    file + ": not a recording that can be read; expected WAV (PCM or floating point) or FLAC", e);
        }
    }

    /** Reads all bytes. Java's stream returns nothing for ever if a damaged header declares impossible frames. */
    private static byte[] all(AudioInputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] some = new byte[1 << 16];
        for (int read = in.read(some); read > 0; read = in.read(some)) {
            all.write(some, 0, read);
        }
        return all.toByteArray();
    }

    private static float[] mixed(Path file, byte[] bytes, AudioFormat format) {
        int bits = format.getSampleSizeInBits();
        int channels = format.getChannels();
        boolean floating = format.getEncoding().equals(AudioFormat.Encoding.PCM_FLOAT);
        boolean unsigned = format.getEncoding().equals(AudioFormat.Encoding.PCM_UNSIGNED);
        boolean known = floating
                ? bits == 32 || bits == 64
                : (unsigned || format.getEncoding().equals(AudioFormat.Encoding.PCM_SIGNED))
                        && (bits == 8 || bits == 16 || bits == 24 || bits == 32);
        if (!known) {
            throw new FormatException(
                    file,
                    "samples are " + format.getEncoding() + " of " + bits
                            + " bits, expected PCM of 8, 16, 24 or 32 bits, or floating point of 32 or 64");
        }
        ByteBuffer buffer =
                ByteBuffer.wrap(bytes).order(format.isBigEndian() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
        float[] samples = new float[bytes.length / (bits / 8 * channels)];
        for (int i = 0; i < samples.length; i++) {
            double sum = 0;
            for (int channel = 0; channel < channels; channel++) {
                sum += floating ? bits == 32 ? buffer.getFloat() : buffer.getDouble() : whole(buffer, bits, unsigned);
            }
            samples[i] = (float) (sum / channels);
        }
        return samples;
    }

    private static double whole(ByteBuffer buffer, int bits, boolean unsigned) {
        int value = switch (bits) {
            case 8 -> buffer.get() << 24;
            case 16 -> buffer.getShort() << 16;
            case 24 -> {
                int first = buffer.get() & 0xff;
                int second = buffer.get() & 0xff;
                int third = buffer.get() & 0xff;
                boolean big = buffer.order() == ByteOrder.BIG_ENDIAN;
                yield (big ? first : third) << 24 | second << 16 | (big ? third : first) << 8;
            }
            default -> buffer.getInt();
        };
        return (unsigned ? value ^ Integer.MIN_VALUE : value) / (double) (1L << 31);
    }

    /** Returns the length in seconds. */
    public double seconds() {
        return (double) samples.length / rate;
    }

    /** Returns a copy at another sampling rate. */
    public Waveform resample(int newRate) {
        return newRate == rate ? this : new Waveform(new AudioResampler(rate, newRate).apply(samples), newRate);
    }

    /**
     * Returns consecutive chunks of at most {@code most} seconds. Each ends in the quietest tenth of a second of its
     * last seconds, where a pause between words is most likely.
     */
    public List<Waveform> chunks(int most) {
        List<Waveform> pieces = new ArrayList<>();
        int longest = Math.multiplyExact(most, rate);
        int start = 0;
        while (samples.length - start > longest) {
            int end = quietest(start + longest - Math.min(SEARCHED, most / 2) * rate, start + longest);
            pieces.add(new Waveform(Arrays.copyOfRange(samples, start, end), rate));
            start = end;
        }
        pieces.add(new Waveform(Arrays.copyOfRange(samples, start, samples.length), rate));
        return pieces;
    }

    /** Returns the middle of the quietest tenth of a second between two samples. */
    private int quietest(int from, int to) {
        int window = Math.max(1, Math.min(rate / 10, to - from));
        double energy = 0;
        for (int i = from; i < from + window; i++) {
            energy += samples[i] * samples[i];
        }
        double least = energy;
        int best = from;
        for (int i = from + window; i < to; i++) {
            energy += samples[i] * samples[i] - samples[i - window] * samples[i - window];
            if (energy < least) {
                least = energy;
                best = i - window + 1;
            }
        }
        return best + window / 2;
    }
}
