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
 * {@code adapter.safetensors} with keys that hold the adapter's name, and for a trained head of a transformers class
 * {@code head_config.json} and {@code model_head.safetensors}.
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
        file.informational("hidden_size", "model_class", "version");
        name = file.string("name", NAME);
        String modelType = file.string("model_type", base.architecture().modelType());
        if (!modelType.equals(base.architecture().modelType())) {
            throw file.wrong("model_type", "\"" + base.architecture().modelType() + "\", that of " + base.name());
        }
        Fields config = file.object("config");
        List<String> known = new ArrayList<>();
        for (Method.Type type : Methods.all()) {
            if (type.layout() == Method.Layout.ADAPTER_HUB) {
                if (type.reads(config)) {
                    List<String> modules = new ArrayList<>(file.strings("modules_to_save", List.of()));
                    modules.addAll(head(folder));
                    AdapterConfig read = new AdapterConfig(
                            type.read(config, base), modules, base.task(), file.stringOrNull("model_name"), null);
                    file.refuseUnread("It may change what the adapter means; remove it if it does not.");
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

    /** The modules that the head's file holds; a base without a head has no use for them. */
    private List<String> head(Path folder) {
        if (base.head().output() == null || !Files.exists(folder.resolve(HEAD_CONFIG))) {
            return List.of();
        }
        Fields head = Fields.read(folder.resolve(HEAD_CONFIG));
        if (head.objectOrNull("config") != null) {
            if (base.flexibleHead() == null) {
                throw head.wrong(
                        "config",
                        "null: this head is a flexible one; load the base with it, or without a head to use the adapter alone");
            }
            // An adapter may stand beside the head of another one.
            headIsAnother = !head.string("name", "").equals(base.flexibleHead().name());
            return headIsAnother ? List.of() : trainedHead();
        }
        String expected = base.architecture().className(base.task());
        if (!head.string("model_class", expected).equals(expected)) {
            throw head.wrong("model_class", "\"" + expected + "\", that of " + base.name());
        }
        return trainedHead();
    }

    /** Modules that are saved in the head's file: those that classification and question answering train. */
    private List<String> trainedHead() {
        FlexibleHead flexible = base.flexibleHead();
        if (flexible != null) {
            return List.of(flexible.module());
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
    public ObjectNode write(Adapter adapter) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        adapter.method().saved(adapter).write(json.putObject("config"), base);
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
    public Map<String, ObjectNode> headConfig(Adapter adapter) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        FlexibleHead flexible = base.flexibleHead();
        if (flexible != null) {
            json.set("config", flexible.settings());
            json.put("hidden_size", base.backbone().hiddenSize());
            json.put("model_class", base.architecture().className(base.task()));
            json.put("model_name", adapter.config().baseName());
            json.put("model_type", base.architecture().modelType());
            json.put("name", flexible.name());
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
    public Map<String, Tensor> baseCopies(Adapter adapter) {
        Linear output = base.head().output();
        boolean generates = base.task() == Task.CAUSAL_LM || base.task() == Task.SEQ_2_SEQ_LM;
        return generates && output != null ? Map.of(output.name() + ".weight", output.weight()) : Map.of();
    }

    @Override
    public boolean writesBaseCopies() {
        return false;
    }

    /**
     * Files of a model without a head lack what a model with one has before its backbone's names; a layer norm before a bottleneck has two
     * names.
     */
    @Override
    public String canonical(String key) {
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
    public String toFile(AdapterConfig config, String parameter) {
        return base.architecture().stored(parameter).replace("*", name);
    }
}
