package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.FlexibleHead;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A base of AdapterHub's tree with the head that a case has: the base's own, a flexible one, or none. */
record AdapterHubBase(Base base, int choices) {
    private static final Set<String> KNOWN =
            Set.of("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "pixel_values", "task_ids");

    /** Returns whether a tree is AdapterHub's. */
    static boolean isTree(Path tree) {
        Path index = tree.resolve("index.json");
        return Files.exists(index) && Json.read(index).path("versions").has("adapters");
    }

    /**
     * Loads it.
     *
     * @param head the folder with the head's files, or null for none
     */
    static AdapterHubBase load(Path tree, JsonNode manifest, @Nullable Path head) {
        Path folder = tree.resolve("bases").resolve(manifest.path("base").asString());
        String model = manifest.path("model_class").asString();
        return NotCoveredException.unlessRefused(folder.resolve("config.json"), () -> {
            if (!model.endsWith("AdapterModel")) {
                Task task = Base.load(folder).architecture().task(model);
                return new AdapterHubBase(Base.load(folder, Base.Options.of(task)), 1);
            }
            if (head == null || !Files.exists(head.resolve("head_config.json"))) {
                return new AdapterHubBase(Base.load(folder, Base.Options.of(Task.FEATURE_EXTRACTION)), 1);
            }
            FlexibleHead flexibleHead = FlexibleHead.read(head);
            return new AdapterHubBase(
                    Base.load(folder, Base.Options.DEFAULT.withHead(flexibleHead)),
                    flexibleHead.settings().path("num_choices").asInt(1));
        });
    }

    /** The inputs that a case stores. */
    Inputs inputs(ReferenceTensors stored, JsonNode manifest) {
        for (JsonNode name : manifest.path("inputs")) {
            if (!KNOWN.contains(name.asString())) {
                throw new NotCoveredException("the input " + name.asString());
            }
        }
        return ReferenceBase.inputs(stored);
    }

    /** Returns the outputs of a base under AdapterHub's names. */
    ModelOutputs outputs(Base of, Inputs in, Hooks hooks) {
        ForwardPass pass = ForwardPass.inference(hooks);
        HiddenStates hidden = of.forward(in, pass);
        Map<String, Tensor> values =
                new LinkedHashMap<>(ModelOutputs.of(of, hidden, pass).values());
        values.putIfAbsent("last_hidden_state", hidden.last());
        Tensor logits = values.get("logits");
        if (logits != null && choices > 1) {
            values.put("logits", logits.reshape(-1, choices));
        }
        Tensor pooled = ModelOutputs.pooled(of, hidden, pass);
        if (pooled != null) {
            values.putIfAbsent("pooler_output", pooled);
        }
        return new ModelOutputs(values, hidden.mask());
    }
}
