package dev.graft.train;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.Optimizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a checkpoint: {@code parameters.safetensors} in their types in memory, {@code optimizer.safetensors},
 * {@code method.safetensors} with the state of the method's training rule, {@code run.safetensors} with that of the run, and
 * {@code best.safetensors} with the values of the best step. The folder {@code adapter} beside them is an ordinary adapter folder.
 */
final class CheckpointTensors {
    private static final String PARAMETERS = "parameters.safetensors";
    private static final String OPTIMIZER = "optimizer.safetensors";
    private static final String METHOD = "method.safetensors";
    private static final String RUN = "run.safetensors";
    private static final String BEST = "best.safetensors";
    private static final String VALUES = "values";
    private static final String STEPS = "steps";

    private CheckpointTensors() {}

    /** Writes all but the adapter. */
    static void write(
            Path folder,
            Adapter adapter,
            Optimizer optimizer,
            Map<String, Tensor> rule,
            Map<String, Tensor> run,
            @Nullable Tensor best) {
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        adapter.parameters().forEach((name, parameter) -> parameters.put(name, parameter.value()));
        write(folder.resolve(PARAMETERS), parameters, Map.of());
        write(folder.resolve(OPTIMIZER), optimizer.state(), Map.of(STEPS, Long.toString(optimizer.steps())));
        if (!rule.isEmpty()) {
            write(folder.resolve(METHOD), rule, Map.of());
        }
        write(folder.resolve(RUN), run, Map.of());
        if (best != null) {
            write(folder.resolve(BEST), Map.of(VALUES, best), Map.of());
        }
    }

    private static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<TensorData> data = new ArrayList<>();
        tensors.forEach((name, value) -> data.add(TensorConversion.data(name, value)));
        Safetensors.write(file, data, metadata);
    }

    /** Puts the saved values into the adapter's parameters, the rule's and the run's state and the optimiser. */
    static void restore(
            Path folder, Adapter adapter, Optimizer optimizer, Map<String, Tensor> rule, Map<String, Tensor> run) {
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        adapter.parameters().forEach((name, parameter) -> parameters.put(name, parameter.value()));
        restore(folder.resolve(PARAMETERS), parameters);
        if (!rule.isEmpty()) {
            restore(folder.resolve(METHOD), rule);
        }
        restore(folder.resolve(RUN), run);
        try (TensorSource file = Safetensors.open(folder.resolve(OPTIMIZER));
                Scope scope = new Scope()) {
            Map<String, Tensor> state = new LinkedHashMap<>();
            for (String name : file.names()) {
                state.put(name, read(file, name));
            }
            optimizer.restore(steps(file), state);
        } catch (IllegalArgumentException e) {
            throw new InputException(folder.resolve(OPTIMIZER) + ": " + e.getMessage(), e);
        }
    }

    private static void restore(Path path, Map<String, Tensor> tensors) {
        try (TensorSource file = Safetensors.open(path);
                Scope scope = new Scope()) {
            if (!file.names().equals(tensors.keySet())) {
                throw new FormatException(
                        file.path(), "has the tensors " + file.names() + ", the run has " + tensors.keySet());
            }
            tensors.forEach((name, into) -> copy(file, name, into));
        }
    }

    private static long steps(TensorSource file) {
        String steps = file.metadata().getOrDefault(STEPS, "");
        if (!steps.matches("[0-9]{1,18}")) {
            throw new FormatException(file.path(), "has no number of steps in its metadata, but \"" + steps + "\"");
        }
        return Long.parseLong(steps);
    }

    /** Copies the values of the best step; false if none were saved. */
    static boolean restoreBest(Path folder, Tensor values) {
        if (!Files.exists(folder.resolve(BEST))) {
            return false;
        }
        try (TensorSource file = Safetensors.open(folder.resolve(BEST));
                Scope scope = new Scope()) {
            copy(file, VALUES, values);
        }
        return true;
    }

    private static void copy(TensorSource file, String name, Tensor into) {
        TensorInfo info = file.info(name);
        if (!Arrays.equals(info.shape(), Tensors.shape(into)) || info.dtype() != TensorConversion.dtype(into)) {
            throw new FormatException(
                    file.path(),
                    name + " is " + info.dtype() + " " + Arrays.toString(info.shape()) + ", the adapter has "
                            + TensorConversion.dtype(into) + " " + Arrays.toString(Tensors.shape(into)));
        }
        try (NoGrad noGrad = new NoGrad()) {
            into.copy_(read(file, name));
        }
    }

    private static Tensor read(TensorSource file, String name) {
        TensorInfo info = file.info(name);
        return Tensors.of(file.bytes(name), TensorConversion.type(info), info.shape());
    }
}
