package dev.graft.run.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.run.progress.RunListener;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With which head a base is loaded for the adapters that are served over it. */
class AgreedHeaderTest {
    @TempDir
    Path folder;

    private final StringWriter said = new StringWriter();

    private Path adapter(String name, String task, String labels) throws IOException {
        Path own = Files.createDirectories(folder.resolve(name));
        Files.writeString(own.resolve("adapter_config.json"), "{\"peft_type\": \"LORA\", \"task_type\": " + task + "}");
        Files.writeString(own.resolve("graft.json"), "{\"labels\": [" + labels + "]}");
        return own;
    }

    private AdapterHeader agreed(String task, Path... folders) {
        return AdapterHeader.agreed(List.of(folders), task, new RunListener() {
            @Override
            public void onNotice(String line) {
                said.append(line).append("\n");
            }
        });
    }

    @Test
    void theTaskAndClassesOfThoseThatNameSome() throws IOException {
        Path none = adapter("none", "null", "");
        Path empty = adapter("empty", "\"TOKEN_CLS\"", "");
        Path tags = adapter("tags", "\"TOKEN_CLS\"", "\"O\", \"B-LOC\"");

        AdapterHeader header = agreed(null, none, empty, tags);

        assertThat(header).isNotNull();
        assertThat(header.task()).isEqualTo("TOKEN_CLS");
        assertThat(header.labels()).containsExactly("O", "B-LOC");
        assertThat(said.toString()).isEmpty();
        assertThat(agreed(null, none)).isNull();
    }

    @Test
    void ofSeveralTasksTheOneThatIsChosen() throws IOException {
        Path tags = adapter("tags", "\"TOKEN_CLS\"", "\"O\", \"B-LOC\"");
        Path moods = adapter("moods", "\"SEQ_CLS\"", "\"bad\", \"good\"");

        assertThat(agreed(null, tags, moods)).isNull();
        assertThat(said.toString())
                .contains("several tasks, SEQ_CLS, TOKEN_CLS")
                .contains("--task");
        assertThat(agreed("seq_cls", tags, moods).labels()).containsExactly("bad", "good");
        assertThat(agreed("feature_extraction", tags, moods)).isNull();
    }

    @Test
    void whatCanNotBeReadIsNamedAndPassedOver() throws IOException {
        Path broken = Files.createDirectories(folder.resolve("broken"));
        Files.writeString(broken.resolve("adapter_config.json"), "{");

        assertThat(agreed(null, broken, adapter("moods", "\"SEQ_CLS\"", "\"bad\", \"good\""))
                        .task())
                .isEqualTo("SEQ_CLS");
        assertThat(said.toString()).contains("warning").contains("broken");
    }
}
