package dev.graft.models.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Recordings against what libsndfile, torchaudio and the feature extractor of transformers make of the same files. */
class WaveformTest {
    private static final Path FOLDER = Path.of("../parity/fixtures/audio");
    private static final Safetensors REFERENCE = Safetensors.open(FOLDER.resolve("reference.safetensors"));
    private static final int EVERY = 5;

    @AfterAll
    static void close() {
        REFERENCE.close();
    }

    private static float[] reference(String name) {
        return REFERENCE.tensor(name).floats();
    }

    private static float[] some(float[] all) {
        float[] some = new float[(all.length + EVERY - 1) / EVERY];
        for (int i = 0; i < some.length; i++) {
            some[i] = all[i * EVERY];
        }
        return some;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pcm16.wav",
                "stereo24.wav",
                "pcm32.wav",
                "bytes.wav",
                "float.wav",
                "double.wav",
                "mono16.flac",
                "stereo24.flac",
                "bytes.flac"
            })
    void samplesAndTheirRateAreThoseOfTheReference(String file) {
        Waveform waveform = Waveform.read(FOLDER.resolve(file));
        assertThat(some(waveform.samples())).containsExactly(reference(file + ".samples"), within(1e-7f));
        assertThat(some(waveform.resample(16_000).samples()))
                .containsExactly(reference(file + ".at16k"), within(2e-6f));
    }

    @ParameterizedTest
    @ValueSource(strings = {"pcm16.wav", "stereo24.wav", "stereo24.flac"})
    void spectrogramsAreThoseOfTheReference(String file) {
        LogMel logMel = LogMel.whisper(80);
        float[] values = logMel.of(Waveform.read(FOLDER.resolve(file)));
        float[] first = reference(file + ".mel");
        float[] last = reference(file + ".rest");
        int frames = first.length / 80;
        for (int band = 0; band < 80; band++) {
            for (int f = 0; f < frames; f++) {
                assertThat(values[band * 3000 + f]).isCloseTo(first[band * frames + f], within(1e-4f));
            }
            assertThat(values[band * 3000 + 2999]).isCloseTo(last[band], within(1e-5f));
        }
    }

    @Test
    void earsAreAlikeWhereTheirSettingsAre() {
        assertThat(LogMel.whisper(80))
                .isEqualTo(LogMel.whisper(80))
                .hasSameHashCodeAs(LogMel.whisper(80))
                .isNotEqualTo(LogMel.whisper(128))
                .isNotEqualTo(new LogMel(80, 16_000, 160, 400, 20))
                .hasToString("feature_size 80, sampling_rate 16000, hop_length 160, n_fft 400, chunk_length 30");
    }

    @Test
    void aRecordingOfFullLengthIsMirroredAtItsEnd() {
        float[] samples = new float[480_000];
        float[] end = reference("end.samples");
        System.arraycopy(end, 0, samples, samples.length - end.length, end.length);
        float[] values = LogMel.whisper(80).of(new Waveform(samples, 16_000));
        float[] expected = reference("end.mel");
        for (int band = 0; band < 80; band++) {
            for (int f = 0; f < 4; f++) {
                assertThat(values[band * 3000 + 2996 + f]).isCloseTo(expected[band * 4 + f], within(1e-4f));
            }
        }
    }

    @Test
    void aLongRecordingIsCutWhereItIsQuiet() {
        float[] samples = new float[7000];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = i >= 2600 && i < 2750 ? 0 : (float) Math.sin(i);
        }
        List<Waveform> pieces = new Waveform(samples, 100).chunks(30);
        assertThat(pieces).hasSize(3);
        assertThat(pieces.get(0).samples().length).isBetween(2600, 2750);
        assertThat(pieces.stream().mapToInt(chunk -> chunk.samples().length).sum())
                .isEqualTo(7000);
        assertThat(pieces).allMatch(chunk -> chunk.seconds() <= 30);
    }

    @Test
    void refusesSettingsOfAnotherExtractor(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("preprocessor_config.json");
        for (String settings : List.of(
                "{\"feature_extractor_type\": \"Wav2Vec2FeatureExtractor\"}",
                "{\"dither\": 0.1}",
                "{\"feature_size\": 128}",
                "{\"n_fft\": 401}",
                "{\"n_fft\": 200000}",
                "{\"chunk_length\": 200000, \"sampling_rate\": 16000}")) {
            Files.writeString(file, settings);
            assertThatThrownBy(() -> LogMel.read(file, 80)).as(settings).isInstanceOf(InputException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"stereo24.flac", "mono16.flac", "bytes.flac", "stereo24.wav", "float.wav"})
    void damagedFilesAreRefusedOrRead(String file, @TempDir Path folder) throws IOException {
        byte[] whole = Files.readAllBytes(FOLDER.resolve(file));
        Random random = new Random(3);
        Path damaged = folder.resolve(file);
        int refused = 0;
        for (int i = 0; i < 120; i++) {
            byte[] bytes = java.util.Arrays.copyOf(whole, i % 3 == 0 ? random.nextInt(whole.length) : whole.length);
            for (int k = 0; k < 1 + i % 4 && bytes.length > 0; k++) {
                int most = i % 2 == 0 ? Math.min(bytes.length, 200) : bytes.length;
                bytes[random.nextInt(most)] = (byte) random.nextInt();
            }
            Files.write(damaged, bytes);
            try {
                Waveform.read(damaged);
            } catch (InputException e) {
                refused++;
            }
        }
        assertThat(refused).isPositive();
    }

    /** A frame of 65,536 equal samples takes 13 bytes. */
    @Test
    void aSmallFileOfVeryManySamplesIsRefusedBeforeItFillsMemory(@TempDir Path folder) throws IOException {
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        bomb.writeBytes("fLaC".getBytes(StandardCharsets.US_ASCII));
        byte[] info = new byte[38];
        info[0] = (byte) 0x80;
        info[3] = 34;
        // 16,000 Hz, one channel, 16 bits; how many samples isn't said.
        info[14] = 0x03;
        info[15] = (byte) 0xe8;
        info[17] = (byte) 0xf0;
        bomb.writeBytes(info);
        byte[] frame = {(byte) 0xff, (byte) 0xf8, 0x70, 0x08, 0, (byte) 0xff, (byte) 0xff, 0, 0, 0, 0, 0, 0};
        int checksum = FlacDecoder.checksum(frame, 0, frame.length - 2);
        frame[frame.length - 2] = (byte) (checksum >> 8);
        frame[frame.length - 1] = (byte) checksum;
        Path file = folder.resolve("small.flac");
        Files.write(file, joined(bomb, frame, 2));
        assertThat(Waveform.read(file).samples()).hasSize(2 << 16);

        Files.write(file, joined(bomb, frame, Waveform.MOST_SAMPLES / (1 << 16) + 1));
        assertThatThrownBy(() -> Waveform.read(file))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("is too long to be held whole");
    }

    private static byte[] joined(ByteArrayOutputStream header, byte[] frame, int times) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(header.toByteArray());
        for (int i = 0; i < times; i++) {
            all.writeBytes(frame);
        }
        return all.toByteArray();
    }

    @Test
    void otherFilesAreRefusedByName(@TempDir Path folder) throws IOException {
        Path text = Files.writeString(folder.resolve("speech.mp3"), "ID3 not a recording");
        assertThatThrownBy(() -> Waveform.read(text))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("speech.mp3")
                .hasMessageContaining("WAV");
    }
}
