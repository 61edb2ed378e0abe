package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
import dev.graft.peft.methods.lora.AdapterHubLora;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Adapters of AdapterHub that become one: {@code average_adapter} and {@code average_head}. */
final class AdapterHubMergingParity {
    private static final String HEAD = "head_config.json";
    private static final String HEAD_TENSORS = "model_head.safetensors";

    private AdapterHubMergingParity() {}

    static void run(Path tree, Path folder, JsonNode manifest, CaseCheck check) {
        JsonNode call = manifest.path("call");
        List<String> names = new ArrayList<>();
        manifest.path("adapters").forEach(name -> names.add(name.asString()));
        boolean ofHeads = Files.exists(folder.resolve(names.get(0)).resolve(HEAD));
        AdapterHubBase reference = AdapterHubBase.load(tree, manifest, folder.resolve(ofHeads ? names.get(0) : "task"));
        Tolerance tolerance = Tolerance.read(manifest.path("tolerance"));
        List<Adapter> adapters = names.stream()
                .map(name -> ofHeads
                        ? withHead(reference.base(), folder.resolve(name), names.get(0))
                        : AdapterFiles.load(reference.base(), folder.resolve(name)))
                .toList();
        boolean ofUpdates = call.path("combine_strategy").asString("").equals("lora_delta_w_svd");
        if (adapters.get(0).method() instanceof AdapterHubLora && !ofUpdates) {
            throw new NotCoveredException(
                    "the reference combines A and B apart, which gives no combination of the updates B A");
        }
        Adapter merged = CombinedAdapter.of(
                        adapters,
                        weights(call, names.size()),
                        ofUpdates ? Combination.SVD : Combination.AVERAGE,
                        CombinationSettings.DEFAULT,
                        ofUpdates ? Integer.valueOf(call.path("svd_rank").intValue()) : null)
                .adapter();
        try (ReferenceTensors stored = new ReferenceTensors(folder.resolve("reference.safetensors"))) {
            Inputs in = reference.inputs(stored, manifest);
            ModelOutputs outputs =
                    reference.outputs(reference.base(), in, Selection.of(merged).hooks());
            AdapterHubAdaptersParity.compare(check, outputs, stored, manifest, tolerance);
            if (!ofUpdates) {
                sameValues(check, merged, folder.resolve("merged"), tolerance);
            }
            stored.requireAllRead(check);
        }
    }

    /** The weights of a call: equal ones where it has none, and divided by their sum unless it says otherwise. */
    private static List<Double> weights(JsonNode call, int count) {
        List<Double> weights = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            weights.add(call.has("weights") ? call.path("weights").get(i).doubleValue() : 1);
        }
        double sum = weights.stream().mapToDouble(weight -> weight).sum();
        return call.path("normalize_weights").asBoolean(true)
                ? weights.stream().map(weight -> weight / sum).toList()
                : weights;
    }

    /** The reference's own file of the result has the same values. */
    private static void sameValues(CaseCheck check, Adapter merged, Path folder, Tolerance tolerance) {
        Base base = merged.base();
        try (Safetensors expected = Safetensors.open(folder.resolve(AdapterHubFiles.TENSORS))) {
            AdapterFiles.saved(merged, saved -> {
                try (ReferenceTensors ours = new ReferenceTensors(saved.resolve(AdapterHubFiles.TENSORS));
                        ReferenceTensors theirs = new ReferenceTensors(folder.resolve(AdapterHubFiles.TENSORS))) {
                    for (String name : expected.names()) {
                        String key = AdapterHubFiles.key(name, base, "merged");
                        String own = ours.startingWith("").stream()
                                .filter(other -> AdapterHubFiles.key(other, base, "default")
                                        .equals(key))
                                .findFirst()
                                .orElseThrow(() -> new IllegalStateException("there is no " + key));
                        check.tensor(key, ours.get(own), theirs.get(name), tolerance);
                    }
                    ours.requireAllRead(check);
                }
            });
        }
    }

    /** An adapter with its head, which the reference calls like the adapter, under the name that the base's head has. */
    private static Adapter withHead(Base base, Path folder, String name) {
        return AdapterFiles.temporary(temporary -> {
            try {
                Path copy = Files.createDirectory(temporary.resolve("copy"));
                for (String file : List.of(AdapterFiles.CONFIG, AdapterHubFiles.TENSORS)) {
                    Files.copy(folder.resolve(file), copy.resolve(file));
                }
                ObjectNode head = (ObjectNode) Json.read(folder.resolve(HEAD));
                String old = head.path("name").asString();
                Files.writeString(copy.resolve(HEAD), Json.compact(head.put("name", name)));
                List<TensorData> tensors = new ArrayList<>();
                try (Safetensors file = Safetensors.open(folder.resolve(HEAD_TENSORS))) {
                    for (String tensor : file.names()) {
                        TensorInfo info = file.info(tensor);
                        String renamed = tensor.replace("heads." + old + ".", "heads." + name + ".");
                        tensors.add(new TensorData(
                                new TensorInfo(renamed, info.dtype(), info.shape()),
                                file.tensor(tensor).bytes()));
                    }
                    Safetensors.write(copy.resolve(HEAD_TENSORS), tensors, Map.of());
                }
                return AdapterFiles.load(base, copy);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }
}
