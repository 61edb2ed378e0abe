package dev.graft.run.logits;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft logits}: writes the logits and hidden states for token ids to a safetensors file. */
public record LogitsRun(
        String model, List<String> adapters, HeadSettings head, ComputeSettings compute, RunListener listener) {
    /** Rows go through the model together up to this many tokens, which bounds the memory of a pass. */
    private static final int TOKENS = 4096;

    /** A written file and the shapes of its tensors by name. */
    public record Result(Path file, Map<String, long[]> shapes) {
        public String shown(boolean json) {
            if (json) {
                ObjectNode node = JsonNodeFactory.instance.objectNode();
                node.put("out", file.toString());
                ObjectNode tensors = node.putObject("tensors");
                shapes.forEach((name, shape) -> {
                    ArrayNode sizes = tensors.putArray(name);
                    Arrays.stream(shape).forEach(sizes::add);
                });
                return Json.pretty(node);
            }
            StringBuilder text = new StringBuilder(file + ":");
            shapes.forEach((name, shape) ->
                    text.append("\n  ").append(name).append(' ').append(Arrays.toString(shape)));
            return text.toString();
        }
    }

    public Result write(Path inputIds, boolean hidden, Path out) {
        TokenIds ids = TokenIds.read(inputIds);
        LoadedModel loaded = LoadedModel.of(model, adapters, head, compute, listener);
        ids.check(loaded.base());
        Map<String, Rows> results = new LinkedHashMap<>();
        int together = Math.max(1, TOKENS / ids.width());
        for (int from = 0; from < ids.size(); from += together) {
            int to = Math.min(ids.size(), from + together);
            pass(loaded, ids, from, to, hidden, results);
        }
        List<TensorData> tensors = new ArrayList<>();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        results.forEach((name, rows) -> {
            tensors.add(TensorData.of(name, rows.values, rows.shape));
            shapes.put(name, rows.shape);
        });
        Safetensors.write(out, tensors, Map.of("format", "pt"));
        return new Result(out, shapes);
    }

    private static void pass(
            LoadedModel loaded, TokenIds ids, int from, int to, boolean hidden, Map<String, Rows> results) {
        Base base = loaded.base();
        Hooks hooks = loaded.selection().hooks();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = hidden ? ForwardPass.inference(hooks).withHiddenStates() : ForwardPass.inference(hooks);
            HiddenStates states = base.forward(ids.inputs(from, to), pass);
            Tensor logits = base.logits(states, pass);
            put(results, base.task() == Task.FEATURE_EXTRACTION ? "last_hidden_state" : "logits", logits, from, ids);
            if (base.task() == Task.QUESTION_ANS) {
                put(results, "start_logits", logits.select(-1, 0), from, ids);
                put(results, "end_logits", logits.select(-1, 1), from, ids);
            }
            for (int k = 0; k < states.all().size(); k++) {
                put(results, "hidden_states." + k, states.all().get(k), from, ids);
            }
        }
    }

    private static void put(Map<String, Rows> results, String name, Tensor part, int from, TokenIds ids) {
        float[] values = Tensors.floats(part);
        int row = values.length / (int) part.size(0);
        Rows rows = results.computeIfAbsent(name, key -> {
            long[] shape = Tensors.shape(part);
            shape[0] = ids.size();
            return new Rows(shape, new float[Math.multiplyExact(row, ids.size())]);
        });
        System.arraycopy(values, 0, rows.values, from * row, values.length);
    }

    /** A tensor that is filled row by row. */
    @SuppressWarnings("ArrayRecordComponent") // filled in place
    private record Rows(long[] shape, float[] values) {}
}
