package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.methods.bottleneck.HyperFormer;
import dev.graft.peft.methods.mixture.Poly;
import dev.graft.peft.methods.prompt.MultitaskPromptTuning;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.MultiTaskEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.files.Dataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Rows that name their tasks, whose answers contradict each other where one doesn't know the task. */
class TaskColumnTest {
    private static final List<String> TASKS = List.of("down", "up");
    private static final DataOptions OPTIONS = DataOptions.DETECT.withTaskField("direction");

    @TempDir
    private Path folder;

    /** After a token comes the next one, or the one before it. */
    private Dataset rows(int count, long seed, String... more) throws Exception {
        Random random = new Random(seed);
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int from = 5 + random.nextInt(4);
            boolean up = i % 2 == 0;
            int to = up ? from + 1 : from - 1;
            lines.add("{\"input_ids\": [" + from + ", " + to + "], \"labels\": [-100, " + to + "], \"direction\": \""
                    + (up ? "up" : "down") + "\"}");
        }
        lines.addAll(List.of(more));
        Path file = folder.resolve("rows-" + seed + ".jsonl");
        Files.writeString(file, String.join("\n", lines) + "\n");
        return Dataset.open(file, OPTIONS);
    }

    private static Examples examples(Base base, Dataset rows) {
        RowEncoder encoder =
                new CausalEncoder(null, null, LossOn.COMPLETION, base.backbone().vocabSize());
        return Examples.encode(rows, new MultiTaskEncoder(encoder, rows, TASKS), 16, Overflow.ERROR);
    }

    static Stream<Arguments> methods() {
        return Stream.of(
                Arguments.of(new Poly(8, dev.graft.peft.TargetModules.ALL_LINEAR, 2, 4, 1, true), 3e-2),
                Arguments.of(new HyperFormer(2, List.of(), 16, 32, 16, 2, "gelu"), 2e-2),
                Arguments.of(MultitaskPromptTuning.DEFAULT.withTasks(2).withRank(4), 2e-1));
    }

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("methods")
    void severalTasksAreLearntFromOneFile(Method method, double rate) throws Exception {
        Base base = Tiny.llama();
        Adapter adapter = Adapter.create(base, method, 1);
        Examples train = examples(base, rows(200, 1));
        Examples valid = examples(base, rows(40, 2));
        TrainSettings settings =
                TrainSettings.DEFAULT.withLearningRate(rate).withBatchSize(20).withEpochs(30);
        new Trainer(settings, adapter, train, null, null, List.of()).run();

        double known = loss(base, valid, TaskHooks.of(adapter));
        // Who doesn't know the task can't do better than ln 2.
        assertThat(known).isLessThan(0.65 * Math.log(2));
        double mistaken = loss(base, valid, Selection.of(adapter.task(1)).hooks());
        assertThat(mistaken).isGreaterThan(2 * known);
    }

    private static double loss(Base base, Examples examples, Hooks hooks) {
        return new Predictor(base, examples, 16)
                .predict(hooks, prediction -> {})
                .mean();
    }

    @Test
    void namesAreFoundInOrderAndCarriedIntoBatches() throws Exception {
        try (Dataset rows = rows(6, 3)) {
            assertThat(MultiTaskEncoder.tasks(rows)).isEqualTo(TASKS);
            assertThat(MultiTaskEncoder.tasks(rows.select(new int[] {0, 2}))).containsExactly("up");
            assertThat(rows.detected()).doesNotContain("direction");
            Examples examples = examples(Tiny.llama(), rows);
            assertThat(examples.batch(IntStream.range(0, 6).toArray(), 0).tasks())
                    .containsExactly(1, 0, 1, 0, 1, 0);
            assertThat(examples.batch(new int[] {1, 3}, 0).parts(2))
                    .allSatisfy(part -> assertThat(part.tasks()).containsOnly(0));
        }
    }

    @Test
    void anUnknownTaskIsRefusedWithTheKnownOnes() throws Exception {
        try (Dataset rows = rows(2, 4, "{\"input_ids\": [5, 6], \"labels\": [-100, 6], \"direction\": \"upp\"}")) {
            assertThatThrownBy(() -> examples(Tiny.llama(), rows))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(
                            "rows-4.jsonl:3: the row is of the task \"upp\", the known tasks are down, up");
        }
        try (Dataset rows = rows(2, 5, "{\"input_ids\": [5, 6], \"labels\": [-100, 6]}")) {
            assertThatThrownBy(() -> MultiTaskEncoder.tasks(rows))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("rows-5.jsonl:3: \"direction\" is missing");
        }
    }

    @Test
    void rowsOfSeveralTasksArentPacked() throws Exception {
        try (Dataset rows = rows(4, 6)) {
            assertThatThrownBy(() -> examples(Tiny.llama(), rows).packed()).hasMessageContaining("packing");
        }
    }
}
