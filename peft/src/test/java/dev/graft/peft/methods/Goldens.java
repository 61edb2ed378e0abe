package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Selection;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;

/** What {@code parity/python/hypernetwork_goldens.py} worked out. */
public final class Goldens {
    private Goldens() {}

    public static void compare(String name, int tasks) {
        Path folder = Bases.FIXTURES.resolve("hypernetworks").resolve(name);
        Base base =
                Base.load(Bases.FIXTURES.resolve("adapterhub/bases/bert"), Base.Options.of(Task.FEATURE_EXTRACTION));
        Adapter adapter = Adapter.load(base, folder);
        assertThat(adapter.tasks()).isEqualTo(tasks);
        try (Safetensors reference = Safetensors.open(folder.resolve("reference.safetensors"))) {
            Inputs in = Inputs.of(read(reference, "input_ids"), read(reference, "attention_mask"));
            for (int task = 0; task < tasks; task++) {
                Tensor found = base.forward(
                                in,
                                ForwardPass.inference(
                                        Selection.of(adapter.task(task)).hooks()))
                        .last();
                Tensor expected = read(reference, "last_hidden_state." + task);
                assertThat(Bases.difference(found, expected, in.mask()))
                        .as("%s of task %d", name, task)
                        .isLessThan(2e-5);
            }
        }
    }

    private static Tensor read(Safetensors file, String name) {
        return Tensors.of(
                file.bytes(name),
                TensorConversion.type(file.info(name)),
                file.info(name).shape());
    }
}
