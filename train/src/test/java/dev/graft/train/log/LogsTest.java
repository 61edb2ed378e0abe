package dev.graft.train.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class LogsTest {
    @TempDir
    Path folder;

    private static Stepped step(long step, double loss) {
        return new Stepped(
                step,
                10,
                step / 5.0,
                loss,
                0.5,
                1e-3,
                64,
                1234.5,
                1 << 20,
                Duration.ofMillis(250 * step),
                null,
                Map.of());
    }

    private static Evaluated evaluation(long step, double accuracy) {
        return new Evaluated(
                step,
                step / 5.0,
                new TreeMap<>(Map.of("loss", 0.25, "accuracy", accuracy)),
                true,
                Duration.ofMillis(40));
    }

    private static void run(TrainingListener listener, long from, long to) {
        listener.onStart(new Started(from, 10, null, List.of()));
        for (long step = from + 1; step <= to; step++) {
            listener.onStep(step(step, 2.0 / step));
        }
        listener.onEvaluate(evaluation(to, 0.75));
        listener.onSave(new Saved(to, Path.of("checkpoint-" + to)));
        listener.onEnd(new Ended(to, EndReason.FINISHED, Duration.ofSeconds(2)));
    }

    @Test
    void csvHasALineAStepAndALineAnEvaluation() throws IOException {
        run(new CsvLog(folder), 0, 2);
        assertThat(folder.resolve("steps.csv")).hasContent("""
            step,epoch,loss,grad_norm,learning_rate,tokens,tokens_per_s,memory_bytes,elapsed_s
            1,0.2,2.0,0.5,0.001,64,1234.5,1048576,0.25
            2,0.4,1.0,0.5,0.001,64,1234.5,1048576,0.5
            """);
        assertThat(folder.resolve("evaluations.csv")).hasContent("""
            step,epoch,accuracy,loss
            2,0.4,0.75,0.25
            """);
    }

    @Test
    void aResumedCsvDropsWhatCameAfterTheCheckpointAndTornLines() throws IOException {
        run(new CsvLog(folder), 0, 4);
        Files.writeString(folder.resolve("steps.csv"), "5,1.0,0.4", StandardOpenOption.APPEND);
        run(new CsvLog(folder), 2, 3);
        assertThat(Files.readAllLines(folder.resolve("steps.csv")))
                .extracting(line -> line.split(",")[0])
                .containsExactly("step", "1", "2", "3");
        assertThat(Files.readAllLines(folder.resolve("evaluations.csv")))
                .extracting(line -> line.split(",")[0])
                .containsExactly("step", "3");
        run(new CsvLog(folder), 0, 1);
        assertThat(Files.readAllLines(folder.resolve("steps.csv"))).hasSize(2);
    }

    @Test
    void otherMetricsThanBeforeAreRefused() {
        run(new CsvLog(folder), 0, 2);
        CsvLog log = new CsvLog(folder);
        log.onStart(new Started(2, 10, null, List.of()));
        assertThatThrownBy(() -> log.onEvaluate(new Evaluated(3, 1, Map.of("rouge", 0.1), false, Duration.ZERO)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(
                        "has the columns step,epoch,accuracy,loss, this run would write step,epoch,rouge");
    }

    @Test
    void jsonLinesTellEveryEvent() throws IOException {
        Path file = folder.resolve("log.jsonl");
        run(new JsonLinesLog(file), 0, 2);
        List<JsonNode> events = Files.readAllLines(file).stream()
                .map(line -> Json.parse("log", line))
                .toList();
        assertThat(events)
                .extracting(event -> event.get("event").asString())
                .containsExactly("start", "step", "step", "evaluate", "save", "end");
        assertThat(events.get(2).get("loss").doubleValue()).isEqualTo(1.0);
        assertThat(events.get(2).get("grad_norm").doubleValue()).isEqualTo(0.5);
        assertThat(events.get(3).get("metrics").get("accuracy").doubleValue()).isEqualTo(0.75);
        assertThat(events.get(5).get("reason").asString()).isEqualTo("finished");
    }

    @Test
    void jsonLinesStayJsonWithALossThatIsNotANumber() throws IOException {
        Path file = folder.resolve("log.jsonl");
        JsonLinesLog log = new JsonLinesLog(file);
        log.onStart(new Started(0, 10, null, List.of()));
        log.onStep(step(1, Double.NaN));
        assertThat(Json.parse("log", Files.readAllLines(file).get(1))
                        .get("loss")
                        .asString())
                .isEqualTo("NaN");
    }

    @Test
    void resumedJsonLinesDropWhatCameAfterTheCheckpoint() throws IOException {
        Path file = folder.resolve("log.jsonl");
        run(new JsonLinesLog(file), 0, 4);
        run(new JsonLinesLog(file), 2, 3);
        assertThat(Files.readAllLines(file).stream()
                        .map(line -> Json.parse("log", line))
                        .filter(event -> event.get("event").asString().equals("step"))
                        .map(event -> event.get("step").asInt()))
                .containsExactly(1, 2, 3);
    }

    @Test
    void tensorboardFramesHaveTheBytesOfTheReferenceWriter() {
        byte[] version = TensorBoardEvent.framed(TensorBoardEvent.fileVersion(1.5));
        assertThat(HexFormat.of().formatHex(version)).isEqualTo(VERSION_FRAME);
        byte[] scalars = TensorBoardEvent.framed(TensorBoardEvent.scalars(1.5, 300, Map.of("train/loss", 0.25)));
        assertThat(HexFormat.of().formatHex(scalars)).isEqualTo(SCALAR_FRAME);
        byte[] start = TensorBoardEvent.framed(TensorBoardEvent.sessionStart(1.5, 3));
        assertThat(HexFormat.of().formatHex(start)).isEqualTo(START_FRAME);
    }

    private static final String VERSION_FRAME =
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c";
    private static final String SCALAR_FRAME =
            "2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e6557981f";
    private static final String START_FRAME = "0f000000000000006d532b0909000000000000f83f10033a020801ec8612fc";

    @Test
    void everyStartHasATensorboardFileOfItsOwn() throws IOException {
        Clock clock = Clock.fixed(Instant.ofEpochSecond(1_700_000_000), ZoneOffset.UTC);
        run(new TensorBoardLog(folder, clock), 0, 2);
        run(new TensorBoardLog(folder, clock), 2, 3);
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .hasSize(2)
                    .allMatch(name -> name.startsWith("events.out.tfevents.1700000000.graft."));
        }
    }

    /** Needs {@code GRAFT_TEST_PYTHON}, a Python with the tensorboard package. */
    @Test
    @Tag("slow")
    void tensorboardReadsTheEvents() throws Exception {
        String python = System.getenv("GRAFT_TEST_PYTHON");
        org.junit.jupiter.api.Assumptions.assumeTrue(python != null, "GRAFT_TEST_PYTHON is not set");
        run(new TensorBoardLog(folder), 0, 4);
        Thread.sleep(1100);
        run(new TensorBoardLog(folder), 2, 3);
        Process process = new ProcessBuilder(python, "-c", """
            import sys
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
            events = EventAccumulator(sys.argv[1]).Reload()
            print(sorted(events.Tags()["scalars"]))
            print([(e.step, round(e.value, 4)) for e in events.Scalars("train/loss")])
            print([(e.step, e.value) for e in events.Scalars("eval/accuracy")])
            """, folder.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        assertThat(output.lines())
                .containsExactly(
                        "['eval/accuracy', 'eval/loss', 'train/grad_norm', 'train/learning_rate', 'train/loss',"
                                + " 'train/memory_mb', 'train/tokens', 'train/tokens_per_s']",
                        "[(1, 2.0), (2, 1.0), (3, 0.6667)]",
                        "[(3, 0.75)]");
    }
}
