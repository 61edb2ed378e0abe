package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterHub's folder (the {@code adapters} library 1.x): {@code adapter_config.json} with the method's settings under {@code config}, and
 * {@code adapter.safetensors} with keys that hold the adapter's name. A trained task head is beside the adapter's tensors, under its
 * Hugging Face name.
 */
final class AdapterHubLayout implements FolderLayout {
    private static final String VERSION = "adapters.1.3.0";
    private static final String NAME = "default";

    private final Base base;
    private String name = NAME;

    AdapterHubLayout(Base base) {
        this.base = base;
    }

    @Override
    public String tensorFile() {
        return "adapter.safetensors";
    }

    @Override
    public AdapterConfig read(Fields file) {
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
                    List<String> modules = file.stringsOrNull("modules_to_save");
                    AdapterConfig read = new AdapterConfig(
                            type.read(config, base),
                            modules == null ? List.of() : modules,
                            base.task(),
                            file.stringOrNull("model_name"),
                            null);
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

    @Override
    public ObjectNode write(Adapter adapter) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        adapter.method().write(json.putObject("config"), adapter.base());
        json.put("hidden_size", adapter.base().backbone().hiddenSize());
        json.put(
                "model_class",
                adapter.base().architecture().className(adapter.base().task()));
        json.put("model_name", adapter.config().baseName());
        json.put("model_type", adapter.base().architecture().modelType());
        json.put("name", NAME);
        json.put("version", VERSION);
        if (!adapter.config().modulesToSave().isEmpty()) {
            adapter.config().modulesToSave().forEach(json.putArray("modules_to_save")::add);
        }
        return json;
    }

    /** Files of a model without a head lack what a model with one has before its backbone's names. */
    @Override
    public String canonical(String key) {
        String prefix = base.architecture().prefix();
        boolean headed = base.task() != Task.FEATURE_EXTRACTION;
        if (!headed) {
            return key.startsWith(prefix) ? key.substring(prefix.length()) : key;
        }
        boolean ofHead = base.head().sites().stream()
                .anyMatch(site -> !site.name().startsWith(prefix) && key.startsWith(site.name() + "."));
        return key.startsWith(prefix) || ofHead ? key : prefix + key;
    }

    @Override
    public String toFile(AdapterConfig config, String parameter) {
        return parameter.replace("*", name);
    }
}
