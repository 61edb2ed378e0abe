package dev.graft.eval.recommend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.recommend.MeasuredRecords.MeasuredComparison;
import dev.graft.eval.recommend.MeasuredRecords.MeasuredScore;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.peft.Methods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MeasuredRecordsTest {
    private static MeasuredComparison comparison(String task, boolean greaterIsBetter, double a, double b, double c) {
        return new MeasuredComparison(
                "base",
                task,
                "data",
                "m",
                greaterIsBetter,
                List.of(new MeasuredScore("a", a, 1), new MeasuredScore("b", b, 1), new MeasuredScore("c", c, 1)));
    }

    @Test
    void aMethodIsHeldAgainstTheMiddleOneOfTheSameKindOfTask() {
        MeasuredRecords records = new MeasuredRecords(
                List.of(comparison("SEQ_CLS", true, 0.9, 0.7, 0.6), comparison("CAUSAL_LM", false, 3.0, 2.0, 1.0)));
        assertThat(records.advantage("a", "SEQ_CLS").orElseThrow()).isCloseTo(0.2, within(1e-12));
        assertThat(records.advantage("a", "CAUSAL_LM").orElseThrow()).isCloseTo(-1, within(1e-12));
        assertThat(records.advantage("a", "TOKEN_CLS").orElseThrow()).isCloseTo(-0.4, within(1e-12));
        assertThat(records.advantage("d", "SEQ_CLS")).isEmpty();
        assertThat(records.known("c", "SEQ_CLS")).contains("m 0.600 on data of base", "another kind of task");
        assertThat(records.known("d", "SEQ_CLS")).isEqualTo("nothing measured");
    }

    @Test
    void whatComesWithGraftNamesMethodsThatThereAre() {
        MeasuredRecords shipped = MeasuredRecords.shipped();
        List<String> known = Methods.all().stream().map(type -> type.name()).toList();
        assertThat(shipped.comparisons()).isNotEmpty().allSatisfy(comparison -> {
            assertThat(comparison.scores()).hasSizeGreaterThan(20);
            assertThat(known)
                    .containsAll(comparison.scores().stream()
                            .map(MeasuredScore::method)
                            .toList());
        });
        assertThat(shipped.advantage("lora", "SEQ_CLS")).isPresent();
    }

    @Test
    void aComparisonsFolderIsARecordToo(@TempDir Path folder) throws IOException {
        assertThatThrownBy(() -> MeasuredRecords.of(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("standings.json");
        Files.writeString(folder.resolve("standings.json"), """
            {"metric": "loss", "task": "CAUSAL_LM", "base": "smollm2", "data": "chats", "methods": [
              {"method": "frozen-base", "scored": true, "trainable": 0, "trainable_percent": 0, "score": 3},
              {"method": "lora", "scored": true, "trainable": 5, "trainable_percent": 1, "score": 2},
              {"method": "ia3", "scored": true, "trainable": 5, "trainable_percent": 1, "score": 2.5},
              {"method": "fusion", "scored": false}]}
            """);
        MeasuredRecords records = MeasuredRecords.of(folder);
        assertThat(records.comparisons().get(0).scores())
                .extracting(MeasuredScore::method)
                .containsExactly("lora", "ia3");
        assertThat(records.advantage("lora", "CAUSAL_LM").orElseThrow()).isCloseTo(0.5, within(1e-12));
        assertThat(MeasuredRecords.shipped().and(records).comparisons()).hasSize(2);
    }

    @Test
    void aBudgetIsMemoryAndTime() {
        assertThat(Budget.parse("memory=2g,time=10m")).isEqualTo(new Budget(2L << 30, Duration.ofMinutes(10)));
        assertThat(Budget.parse("time=1.5h").time()).isEqualTo(Duration.ofMinutes(90));
        assertThat(Budget.parse("memory=700M").memory()).isEqualTo(700L << 20);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "memory", "memory=2", "memory=2x", "time=10", "time=-1m", "disk=2g", "memory=2g;time=1m"})
    void anotherBudgetIsRefused(String text) {
        assertThatThrownBy(() -> Budget.parse(text))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("--budget");
    }
}
