package dev.graft.models.audio;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
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
 * Sound speech = Sound.read(Path.of("memo.flac")).at(16_000);
 * }</pre>
 *
 * @param samples from -1 to 1
 * @param rate samples a second
 */
@SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
public record Sound(float[] samples, int rate) {
    /** Where a long recording is cut is looked for in so many of the last seconds of a piece. */
    private static final int SEARCHED = 5;

    /** A recording is held whole: 4.6 hours at 16,000 samples a second, a GiB, and less where Java's heap holds less while it is read. */
    static final int MOST_SAMPLES = (int) Math.min(1 << 28, Runtime.getRuntime().maxMemory() / 16);

    /** The largest file: that many samples in 32 bits. */
    private static final long MOST_BYTES = 4L * MOST_SAMPLES;

    /**
     * Reads a WAV file (PCM of 8, 16, 24 or 32 bits or floating point), a FLAC file, or what else Java reads, such as AIFF and AU.
     * Several channels become their mean.
     *
     * @throws InputException if it is none of these, or damaged
     */
    public static Sound read(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw tooLong(file);
            }
            byte[] bytes = Files.readAllBytes(file);
            return bytes.length > 4 && bytes[0] == 'f' && bytes[1] == 'L' && bytes[2] == 'a' && bytes[3] == 'C'
                    ? new Flac(file, bytes).sound()
                    : sampled(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    static FormatException tooLong(Path file) {
        return new FormatException(
                file,
                "is too long to be held whole: at most " + MOST_SAMPLES + " samples in " + MOST_BYTES
                        + " bytes are read with this Java heap; cut it into parts");
    }

    private static Sound sampled(Path file, byte[] bytes) throws IOException {
        try (AudioInputStream in = AudioSystem.getAudioInputStream(new ByteArrayInputStream(bytes))) {
            AudioFormat format = in.getFormat();
            int rate = Math.round(format.getSampleRate());
            if (rate < 1 || format.getChannels() < 1) {
                throw new FormatException(file, "has " + format.getChannels() + " channels of " + rate + " Hz");
            }
            return new Sound(mixed(file, all(in), format), rate);
        } catch (UnsupportedAudioFileException | IllegalArgumentException e) {
            throw new InputException(
                    file + ": not a recording that can be read; expected WAV (PCM or floating point) or FLAC", e);
        }
    }

    /** Java's stream gives nothing for ever where a damaged header says impossible frames. */
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

    /** How long it is, in seconds. */
    public double seconds() {
        return (double) samples.length / rate;
    }

    /** The same at another rate. */
    public Sound at(int newRate) {
        return newRate == rate ? this : new Sound(new Resampler(rate, newRate).apply(samples), newRate);
    }

    /**
     * Pieces of at most so many seconds, one after another, each cut in the quietest tenth of the last seconds that it may have, where
     * a pause between words is likeliest.
     */
    public List<Sound> pieces(int most) {
        List<Sound> pieces = new ArrayList<>();
        int longest = Math.multiplyExact(most, rate);
        int start = 0;
        while (samples.length - start > longest) {
            int end = quietest(start + longest - Math.min(SEARCHED, most / 2) * rate, start + longest);
            pieces.add(new Sound(Arrays.copyOfRange(samples, start, end), rate));
            start = end;
        }
        pieces.add(new Sound(Arrays.copyOfRange(samples, start, samples.length), rate));
        return pieces;
    }

    /** The middle of the quietest tenth of a second between two samples. */
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
