package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.run.Run;
import dev.graft.run.RunResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A run that is started from Java leaves the files of {@code graft train}. */
class RunFromJavaTest {
    @TempDir
    private Path folder;

    @Test
    void aRunFromJavaWritesTheFilesOfTheCommand() throws IOException {
        Path out = folder.resolve("out");
        Path data = Files.writeString(folder.resolve("rows.jsonl"), rows());
        Path recipe = Files.writeString(
                folder.resolve("recipe.yaml"),
                "model: file:" + Cli.base("bert-base") + "\ndata: {train: " + data
                        + ", valid_fraction: 0.25}\noutput_dir: " + out + "\nthreads: 1\ndtype: fp32\nlora.r: 4\n");
        Cli trained = Cli.run("train", recipe, "epochs=1", "report_to=[csv]");
        assertThat(trained.code()).as(trained.err()).isZero();
        Path command = Files.move(out, folder.resolve("command"));

        RunResult result =
                Run.of(recipe).with("epochs", "1").with("report_to", "[csv]").train();

        assertThat(result.folder()).isEqualTo(out);
        assertThat(result.training().steps()).isPositive();
        assertThat(files(out)).isEqualTo(files(command)).contains("report.json", "config.yaml", "adapter/graft.json");
        for (String name : files(out)) {
            if (name.startsWith("adapter/") || name.equals("config.yaml")) {
                assertThat(out.resolve(name)).hasSameBinaryContentAs(command.resolve(name));
            }
        }
        assertThat(report(out)).isEqualTo(report(command));
    }

    private static String rows() {
        StringBuilder rows = new StringBuilder();
        String[] words = {"cat", "dog", "red"};
        for (int i = 0; i < 24; i++) {
            rows.append("{\"text\": \"" + words[i % 3] + " " + i % 7 + "\", \"label\": \"" + words[i % 3] + "\"}\n");
        }
        return rows.toString();
    }

    private static List<String> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> folder.relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    /** Everything but the measured time, memory and energy. */
    private static JsonNode report(Path folder) {
        ObjectNode report = (ObjectNode) Json.read(folder.resolve("report.json"));
        report.remove(List.of("seconds", "cost"));
        return report;
    }
}
