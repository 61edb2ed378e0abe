package dev.graft.train.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.data.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkloadTest {
    private static final Path LLAMA = Path.of("../parity/fixtures/bases/llama-gqa");

    @TempDir
    private Path folder;

    private Path file(String... lines) throws IOException {
        return Files.write(folder.resolve("w.jsonl"), List.of(lines));
    }

    @Test
    void readsRowsForACausalModel() throws IOException {
        Workload work = Workload.read(
                file("{\"input_ids\": [5, 6, 7], \"labels\": [-100, 6, 7]}", "{\"input_ids\": [8], \"labels\": [8]}"),
                Task.CAUSAL_LM);
        assertThat(work.classes()).isZero();
        assertThat(work.examples()).hasSize(2);
        assertThat(work.examples().get(0).ids()).containsExactly(5, 6, 7);
        assertThat(((Target.Tokens) work.examples().get(0).target()).labels()).containsExactly(-100, 6, 7);
    }

    @Test
    void aClassifierHasAsManyClassesAsTheLargestLabelSays() throws IOException {
        Workload work = Workload.read(
                file("{\"input_ids\": [5, 6], \"label\": 4}", "{\"input_ids\": [8], \"label\": 1}"), Task.SEQ_CLS);
        assertThat(work.classes()).isEqualTo(5);
        assertThat(work.examples().get(1).target()).isEqualTo(new Target.ClassId(1));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '!',
            value = {
                "CAUSAL_LM | {\"input_ids\": [1, 2], \"labels\": [1]} | labels",
                "CAUSAL_LM | {\"input_ids\": [1, 2], \"labels\": [1, -1]} | labels",
                "CAUSAL_LM | {\"input_ids\": [1, -2], \"labels\": [1, 2]} | input_ids",
                "CAUSAL_LM | {\"input_ids\": [1, 2], \"label\": 1} | labels",
                "CAUSAL_LM | {\"input_ids\": [], \"labels\": []} | input_ids",
                "CAUSAL_LM | {\"input_ids\": [1, 2.5], \"labels\": [1, 2]} | input_ids",
                "CAUSAL_LM | {\"text\": \"hello\"} | input_ids",
                "CAUSAL_LM | [1, 2] | w.jsonl:2",
                "CAUSAL_LM | {\"input_ids\": [1 | w.jsonl:2",
                "SEQ_CLS | {\"input_ids\": [1, 2], \"label\": -1} | label",
                "SEQ_CLS | {\"input_ids\": [1, 2], \"label\": \"cat\"} | label",
                "SEQ_CLS | {\"input_ids\": [1, 2], \"label\": 2147483647} | label",
                "SEQ_CLS | {\"input_ids\": [1, 2], \"label\": 1, \"weight\": 2} | weight"
            })
    void aWrongRowIsRefusedWithItsLine(Task task, String line, String named) throws IOException {
        String good =
                task == Task.CAUSAL_LM ? "{\"input_ids\": [1], \"labels\": [1]}" : "{\"input_ids\": [1], \"label\": 1}";
        Path file = file(good, line);
        assertThatThrownBy(() -> Workload.read(file, task))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("w.jsonl:2")
                .hasMessageContaining(named);
    }

    @Test
    void filesWithNothingToLearnAreRefused() throws IOException {
        Path empty = file();
        assertThatThrownBy(() -> Workload.read(empty, Task.SEQ_CLS)).hasMessage(empty + ": has no rows");
        Path missing = folder.resolve("none.jsonl");
        assertThatThrownBy(() -> Workload.read(missing, Task.SEQ_CLS)).hasMessage(missing + ": there is no such file");
        Path oneClass = file("{\"input_ids\": [1], \"label\": 0}");
        assertThatThrownBy(() -> Workload.read(oneClass, Task.SEQ_CLS))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("every label is 0");
    }

    @Test
    void rowsThatTheBaseCannotTakeAreRefused() throws IOException {
        Base base = Base.load(LLAMA);
        int vocabulary = base.backbone().vocabSize();
        Workload foreign = Workload.read(
                file("{\"input_ids\": [1], \"labels\": [1]}", "{\"input_ids\": [" + vocabulary + "], \"labels\": [1]}"),
                Task.CAUSAL_LM);
        assertThatThrownBy(() -> foreign.requireFits(base))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("w.jsonl:2: token id " + vocabulary + " is not below " + vocabulary);
        String ids = "1, ".repeat(base.backbone().maxPositions()) + "1";
        Workload longRow =
                Workload.read(file("{\"input_ids\": [" + ids + "], \"labels\": [" + ids + "]}"), Task.CAUSAL_LM);
        assertThatThrownBy(() -> longRow.requireFits(base))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(
                        "w.jsonl:1: the row has " + (base.backbone().maxPositions() + 1) + " tokens");
    }
}
