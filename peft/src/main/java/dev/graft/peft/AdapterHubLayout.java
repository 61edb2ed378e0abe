package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Base;
import dev.graft.models.FlexibleHead;
import dev.graft.models.Task;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterHub's folder (the {@code adapters} library 1.x): {@code adapter_config.json} with the method's settings under {@code config},
 * {@code adapter.safetensors} with keys that contain the adapter's name, and for a trained head of a transformers class {@code head_config.json}
 * and {@code model_head.safetensors}.
 */
final class AdapterHubLayout implements FolderLayout {
    private static final String VERSION = "adapters.1.3.0";
    private static final String NAME = "default";
    private static final String HEAD_CONFIG = "head_config.json";

    private final Base base;
    private String name = NAME;
    private boolean headIsAnother;

    AdapterHubLayout(Base base) {
        this.base = base;
    }

    @Override
    public String tensorFile() {
        return "adapter.safetensors";
    }

    @Override
    public AdapterConfig read(Fields file, Path folder) {
        file.ignore("hidden_size", "model_class", "version");
        name = file.string("name", NAME);
        String modelType = file.string("model_type", base.architecture().modelType());
        if (!modelType.equals(base.architecture().modelType())) {
            throw file.invalid("model_type", "\"" + base.architecture().modelType() + "\", that of " + base.name());
        }
        Fields config = file.object("config");
        List<String> known = new ArrayList<>();
        for (Method.Type type : Methods.all()) {
            if (type.layout() == Method.Layout.ADAPTER_HUB) {
                if (type.matches(config)) {
                    List<String> modules = new ArrayList<>(file.strings("modules_to_save", List.of()));
                    modules.addAll(head(folder));
                    AdapterConfig read = new AdapterConfig(
                            type.read(config, base), modules, base.task(), file.stringOrNull("model_name"), null);
                    file.rejectUnread("It may change what the adapter means; remove it if it does not.");
                    return read;
                }
                known.add(type.name());
            }
        }
        throw new FormatException(
                file.source(),
                "config is of no method that is supported; supported are " + String.join(", ", known),
                null);
    }

    /** Returns the modules in the head's file; a base without a head has no use for them. */
    private List<String> head(Path folder) {
        if (base.head().output() == null || !Files.exists(folder.resolve(HEAD_CONFIG))) {
            return List.of();
        }
        Fields head = Fields.read(folder.resolve(HEAD_CONFIG));
        if (head.objectOrNull("config") != null) {
            if (base.flexibleHead() == null) {
                throw head.invalid(
                        "config",
                        "null: this head is a flexible one; load the base with it, or without a head to use the"
                                + " adapter alone");
            }
            // An adapter may stand beside the head of another one.
            headIsAnother = !head.string("name", "").equals(base.flexibleHead().name());
            return headIsAnother ? List.of() : trainedHead();
        }
        String expected = base.architecture().className(base.task());
        if (!head.string("model_class", expected).equals(expected)) {
            throw head.invalid("model_class", "\"" + expected + "\", that of " + base.name());
        }
        return trainedHead();
    }

    /** Modules that are saved in the head's file: those that classification and question answering train. */
    private List<String> trainedHead() {
        FlexibleHead flexibleHead = base.flexibleHead();
        if (flexibleHead != null) {
            return List.of(flexibleHead.module());
        }
        if (base.head().output() == null || AdapterConfig.heads(base.task()).isEmpty()) {
            return List.of();
        }
        return base.head().sites().stream()
                .map(Site::name)
                .filter(module -> !isHeaded() || !module.startsWith(base.prefix()))
                .toList();
    }

    private boolean isHeaded() {
        return !base.prefix().isEmpty();
    }

    @Override
    public ObjectNode write(AdapterContent adapter, Method method) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        method.write(json.putObject("config"), base);
        json.put("hidden_size", base.backbone().hiddenSize());
        json.put("model_class", base.architecture().className(base.task()));
        json.put("model_name", adapter.config().baseName());
        json.put("model_type", base.architecture().modelType());
        json.put("name", NAME);
        json.put("version", VERSION);
        List<String> others = new ArrayList<>(adapter.config().modulesToSave());
        others.removeAll(AdapterConfig.heads(base));
        if (!others.isEmpty()) {
            others.forEach(json.putArray("modules_to_save")::add);
        }
        return json;
    }

    @Override
    public @Nullable String headFile() {
        return headIsAnother ? null : "model_head.safetensors";
    }

    @Override
    public boolean isOfHead(String key) {
        return trainedHead().stream().anyMatch(module -> key.startsWith(module + "."));
    }

    @Override
    public Map<String, ObjectNode> headConfig(AdapterContent adapter) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        FlexibleHead flexibleHead = base.flexibleHead();
        if (flexibleHead != null) {
            json.set("config", flexibleHead.settings());
            json.put("hidden_size", base.backbone().hiddenSize());
            json.put("model_class", base.architecture().className(base.task()));
            json.put("model_name", adapter.config().baseName());
            json.put("model_type", base.architecture().modelType());
            json.put("name", flexibleHead.name());
            json.put("version", VERSION);
            return Map.of(HEAD_CONFIG, json);
        }
        json.putNull("config");
        json.put("hidden_size", base.backbone().hiddenSize());
        ObjectNode labels = json.putObject("label2id");
        for (int i = 0; i < base.labels().size(); i++) {
            labels.put(base.labels().get(i), i);
        }
        json.put("model_class", base.architecture().className(base.task()));
        json.put("model_name", adapter.config().baseName());
        json.put("model_type", base.architecture().modelType());
        json.putNull("name");
        json.put("num_labels", base.labels().size());
        json.put("version", VERSION);
        return Map.of(HEAD_CONFIG, json);
    }

    /** Language models are saved with their own vocabulary head. */
    @Override
    public Map<String, Tensor> baseCopies(AdapterContent adapter) {
        Linear output = base.head().output();
        boolean generates = base.task() == Task.CAUSAL_LM || base.task() == Task.SEQ_2_SEQ_LM;
        return generates && output != null ? Map.of(output.name() + ".weight", output.weight()) : Map.of();
    }

    @Override
    public boolean writesBaseCopies() {
        return false;
    }

    /**
     * Files of a model without a head lack the prefix of the backbone; a layer norm before a bottleneck has two names.
     */
    @Override
    public String canonicalKey(String key) {
        String prefix = base.architecture().prefix();
        // The library's own class of T5 has a module of that name, the others have none.
        String bare = prefix.isEmpty() ? key.replaceFirst("^transformer\\.", "") : key;
        return prefixed(bare.replace(".adapter_norm_before.", ".adapter_down.0."));
    }

    private String prefixed(String key) {
        String prefix = isHeaded() ? base.prefix() : base.architecture().prefix();
        if (!isHeaded()) {
            return key.startsWith(prefix) ? key.substring(prefix.length()) : key;
        }
        boolean ofHead = base.head().sites().stream()
                .anyMatch(site -> !site.name().startsWith(prefix) && key.startsWith(site.name() + "."));
        // A name without a dot is a method's own, not a module's.
        return key.startsWith(prefix) || ofHead || key.indexOf('.') < 0 ? key : prefix + key;
    }

    @Override
    public String fileKey(AdapterConfig config, String parameter) {
        return base.architecture().checkpointName(parameter).replace("*", name);
    }
}
