package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.prompt.MultitaskPromptTuning.Init;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MultitaskPromptTuningTest extends MethodContract {
    private static final MultitaskPromptTuning THREE =
            MultitaskPromptTuning.DEFAULT.withTokens(4).withTasks(3).withRank(2);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, THREE, 4 * 32 + 3 * 2 * (4 + 32), false),
                new Case(Bases.LLAMA, THREE.withTasks(1), 4 * 32 + 2 * (4 + 32), false),
                new Case(
                        Bases.TIED,
                        MultitaskPromptTuning.DEFAULT.withTokens(3).withTasks(2).withInit(Init.RANDOM),
                        3 * 32 + 2 * (3 + 32),
                        false));
    }

    @Test
    void givesEachRowWhatItsTaskGetsAlone() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, THREE, 1);
        Inputs two = Inputs.of(new long[][] {{5, 6, 7}, {5, 6, 7}});
        Tensor mixed = base.logits(
                two,
                ForwardPass.inference(Selection.rows(Selection.of(adapter.task(2)), Selection.of(adapter.task(0)))
                        .hooks()));

        for (int row = 0; row < 2; row++) {
            Tensor alone = base.logits(
                    Inputs.of(new long[][] {{5, 6, 7}}),
                    ForwardPass.inference(
                            Selection.of(adapter.task(2 - 2 * row)).hooks()));
            assertThat(Tensors.item(
                            mixed.select(0, row).sub(alone.select(0, 0)).abs().amax()))
                    .isLessThan(1e-5);
        }
        assertThat(mixed.select(0, 0).equal(mixed.select(0, 1))).isFalse();
    }

    @Test
    void aTaskSharesTheParametersOfTheAdapter() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), THREE, 1);

        assertThat(adapter.task(1).trainable().get("prefix_task_cols"))
                .isSameAs(adapter.trainable().get("prefix_task_cols"));
        assertThat(adapter.tasks()).isEqualTo(3);
    }

    @Test
    void refusesToActWithoutATaskAndATaskThatIsNone() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), THREE, 1);

        assertThatThrownBy(() -> Selection.of(adapter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the tasks 0 to 2; choose one");
        assertThatThrownBy(() -> adapter.task(3))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("task 3 is asked for");
    }

    @Test
    void startsANewTaskFromAnAdapterOfSeveral(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter source = Adapter.create(base, THREE, 1);
        source.save(folder.resolve("source"));
        Path file = folder.resolve("source/adapter_model.safetensors");
        MultitaskPromptTuning one = THREE.withTasks(1);
        Adapter mean = Adapter.create(base, one.from(file, Init.AVERAGE_SOURCE_TASKS, 0), 2);
        Adapter second = Adapter.create(base, one.from(file, Init.EXACT_SOURCE_TASK, 1), 2);
        Adapter shared = Adapter.create(base, one.from(file, Init.ONLY_SOURCE_SHARED, 0), 2);

        for (Adapter target : List.of(mean, second, shared)) {
            assertThat(values(target, "prompt_embeddings")).isEqualTo(values(source, "prompt_embeddings"));
        }
        float[] factors = values(source, "prefix_task_rows");
        assertThat(values(second, "prefix_task_rows")).isEqualTo(java.util.Arrays.copyOfRange(factors, 64, 128));
        assertThat(values(mean, "prefix_task_rows")[5])
                .isCloseTo((factors[5] + factors[69] + factors[133]) / 3, org.assertj.core.data.Offset.offset(1e-6f));
        assertThat(values(shared, "prefix_task_rows")).isNotEqualTo(values(second, "prefix_task_rows"));
    }

    private static float[] values(Adapter adapter, String key) {
        return Tensors.floats(adapter.trainable().get(key));
    }

    @Test
    void refusesSourcesThatDoNotFit(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter.create(base, THREE, 1).save(folder.resolve("source"));
        Path file = folder.resolve("source/adapter_model.safetensors");

        assertThatThrownBy(() -> THREE.from(file, Init.AVERAGE_SOURCE_TASKS, 0))
                .hasMessageContaining("which is for one task, but num_tasks is 3");
        assertThatThrownBy(() -> MultitaskPromptTuning.DEFAULT.withInit(Init.EXACT_SOURCE_TASK))
                .hasMessageContaining("prompt_tuning_init_state_dict_path must be given");
        MultitaskPromptTuning one = THREE.withTasks(1);
        assertThatThrownBy(() -> Adapter.create(base, one.from(file, Init.EXACT_SOURCE_TASK, 3), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prompt_tuning_init_task is 3");
        assertThatThrownBy(() -> Adapter.create(base, one.withRank(1).from(file, Init.EXACT_SOURCE_TASK, 0), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prefix_task_cols has shape [1, 4, 2], expected [1, 4, 1]");
        assertThatThrownBy(() -> Adapter.create(base, one.from(Path.of("x.bin"), Init.ONLY_SOURCE_SHARED, 0), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pickle files are never read");
    }
}
