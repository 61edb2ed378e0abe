package dev.graft.eval.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.TrainingObjective.EmbeddingLossType;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TaskTypesTest {
    private static final String PAIR = "{\"anchor\": \"a\", \"positive\": \"b\"}";
    private static final String TRIPLET = "{\"anchor\": \"a\", \"positive\": \"b\", \"negative\": \"c\"}";
    private static final String SCORED = "{\"text\": \"a\", \"text_pair\": \"b\", \"score\": 0.5}";

    @TempDir
    private Path folder;

    private Dataset rows(String... lines) throws IOException {
        Path file = Files.writeString(folder.resolve("rows.jsonl"), String.join("\n", lines) + "\n");
        return Dataset.open(file, DataOptions.DETECT);
    }

    @Test
    void noTwoTasksShareAName() {
        List<String> names = TaskTypes.named().stream().map(TaskType::option).toList();
        assertThat(names).doesNotHaveDuplicates().contains("classify", "dpo", "embed");
    }

    @Test
    void aHeadIsFoundByTheNameOfItsTaskOrByPefts() {
        assertThat(TaskTypes.head("embed")).isEqualTo(Task.FEATURE_EXTRACTION);
        assertThat(TaskTypes.head("seq_cls")).isEqualTo(Task.SEQ_CLS);
        assertThatThrownBy(() -> TaskTypes.head("embedd"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("task is \"embedd\", expected one of [classify, ");
    }

    @ParameterizedTest
    @CsvSource({"pair, IN_BATCH_NEGATIVES", "triplet, IN_BATCH_NEGATIVES", "scored, COSINE"})
    void rowsToEmbedAreKnownByTheirKeys(String kind, EmbeddingLossType form) throws IOException {
        String line = kind.equals("pair") ? PAIR : kind.equals("triplet") ? TRIPLET : SCORED;
        try (Dataset rows = rows(line, line)) {
            TaskSpec task = TaskSpec.of(rows, null, TaskOptions.NONE);
            assertThat(task.type().option()).isEqualTo("embed");
            assertThat(task.task()).isEqualTo(Task.FEATURE_EXTRACTION);
            assertThat(((TrainingObjective.Embedding) task.objective()).form()).isEqualTo(form);
        }
    }

    @Test
    void aLossThatTheRowsCannotHaveIsRefused() throws IOException {
        TaskOptions triplet = new TaskOptions(Map.of("embedding.loss", EmbeddingLossType.TRIPLET));
        try (Dataset rows = rows(PAIR)) {
            assertThatThrownBy(() -> TaskSpec.of(rows, null, triplet))
                    .hasMessageContaining(
                            "embedding.loss is triplet, but the rows are pairs of texts that belong together"
                                    + " without a negative");
        }
        try (Dataset rows = rows(TRIPLET)) {
            assertThat(TaskSpec.of(rows, null, triplet).objective().toString()).contains("TRIPLET");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"anchor\": \"a\", \"positive\": \"b\", \"negative\": \"c\"} | \"negative\" is missing",
                "{\"anchor\": \"a\"} | the key \"positive\" is missing",
            })
    void rowsAreAlike(String second, String message) throws IOException {
        assertThatThrownBy(() -> rows(PAIR, second).get(1)).hasMessageContaining(message);
    }

    @Test
    void aSimilarityIsFromMinusOneToOne() throws IOException {
        assertThatThrownBy(() -> rows(SCORED.replace("0.5", "4.2")).get(0))
                .hasMessageContaining("\"score\" is 4.2, expected a similarity from -1 to 1");
    }
}
