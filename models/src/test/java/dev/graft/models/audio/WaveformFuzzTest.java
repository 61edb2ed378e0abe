package dev.graft.models.audio;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Any file is either a recording or refused with an {@link InputException}. */
class WaveformFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void recording(byte[] input) throws IOException {
        Path file = Files.createTempFile("graft-fuzz", ".flac");
        try {
            Files.write(file, input);
            Waveform.read(file).resample(16_000);
        } catch (InputException refused) {
            // refused with its place
        } finally {
            Files.deleteIfExists(file);
        }
    }
}
