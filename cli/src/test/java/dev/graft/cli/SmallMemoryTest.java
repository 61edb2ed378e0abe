package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.Quantized;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real model in little memory, each run in a process of its own. */
@Tag("slow")
class SmallMemoryTest {
    private static final Pattern ADVICE = Pattern.compile("It (?:may fit|fits) with ([^(;\\n]*)");

    @TempDir
    private Path folder;

    @Test
    void theBaseOfANf4TrainingTakesAtMost065BytesForEachParameterOfItsLinearLayers() {
        Base base = Base.load(
                "smollm2", Base.Options.DEFAULT.withNumerics(Numerics.BF16).withQuantization(Quantization.NF4));
        long bytes =
                base.quantized().values().stream().mapToLong(Quantized::bytes).sum();
        long values = base.quantized().values().stream()
                .mapToLong(matrix -> matrix.rows() * matrix.columns())
                .sum();
        assertThat(values).isEqualTo(106_168_320);
        assertThat((double) bytes / values).isBetween(0.5, 0.65);
    }

    /** Whoever does what the message says gets there. */
    @Test
    void smollm2IsTrainedIn700Megabytes() throws Exception {
        assumeTrue(Files.isReadable(Path.of("/proc/self/status")));
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 32; i++) {
            rows.append("{\"text\": \"" + "Rows of a few dozen words are what people tune on. ".repeat(6 + i % 5) + i
                    + "\"}\n");
        }
        Path data = Files.writeString(folder.resolve("rows.jsonl"), rows);
        Path out = folder.resolve("run");
        List<String> train = List.of(
                "train",
                "--model",
                "smollm2",
                "--data",
                data.toString(),
                "--task",
                "causal",
                "--memory-limit",
                "700m",
                "max_steps=4",
                "output_dir=" + out);

        Run run = run(train);
        assertThat(run.said()).contains("memory_limit is 700.0 MiB, but", "quantization=nf4");
        String advice = "";
        for (int tried = 0; tried < 3 && run.status() == 2; tried++) {
            List<String> words = new ArrayList<>(train);
            words.addAll(List.of(("quantization=nf4 " + advice).strip().split(" ")));
            run = run(words);
            Matcher found = ADVICE.matcher(run.said());
            advice = found.find() ? found.group(1) : "";
        }
        assertThat(run.status()).as(run.said()).isZero();

        long peak = Json.read(out.resolve("report.json"))
                .get("cost")
                .get("peak_resident")
                .get("value")
                .longValue();
        assertThat(peak).isBetween(200L << 20, 700L << 20);
    }

    private record Run(int status, String said) {}

    private static Run run(List<String> command) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-XX:MinHeapFreeRatio=20",
                "-XX:MaxHeapFreeRatio=40",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.graft.cli.Graft"));
        words.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
        builder.environment().put("GLIBC_TUNABLES", "glibc.malloc.arena_max=2");
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Run(process.waitFor(), said);
    }
}
