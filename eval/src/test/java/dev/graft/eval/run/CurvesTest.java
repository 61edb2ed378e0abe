package dev.graft.eval.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.eval.report.Section;
import dev.graft.train.TrainingEvent.Started;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CurvesTest {
    private static final String STEPS = "{\"event\": \"step\", \"step\": 1, \"loss\": 2.5, \"learning_rate\": 0.1}\n"
            + "{\"event\": \"step\", \"step\": 2, \"loss\": 2.0, \"learning_rate\": 0.2}\n";

    @TempDir
    private Path folder;

    private List<Section> resumedWith(String log) throws IOException {
        Path file = Files.writeString(folder.resolve("events.jsonl"), log);
        Curves curves = new Curves(file);
        curves.onStart(new Started(2, 10, folder, List.of()));
        return curves.sections();
    }

    @Test
    void aLineThatWasCutWhenItsProcessWasKilledCostsNoOther() throws IOException {
        Section.LineChart loss =
                (Section.LineChart) resumedWith(STEPS + "{\"event\": \"st").get(0);
        assertThat(loss.series().get(0).points()).containsExactly(new Section.Point(1, 2.5), new Section.Point(2, 2));
    }

    @Test
    void aDamagedLogLeavesNothingBehind() throws IOException {
        assertThat(resumedWith(STEPS + "not JSON\n")).isEmpty();
    }
}
