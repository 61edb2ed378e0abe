package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Hugging Face PEFT's folder ({@code peft_model.py}, {@code save_and_load.py}): {@code adapter_config.json} with sorted keys and
 * {@code adapter_model.safetensors} with the module paths after {@code base_model.model.}.
 */
final class PeftLayout implements FolderLayout {
    /** The PEFT whose files these are like. */
    private static final String VERSION = "0.21.2";

    private static final Pattern NAMED = Pattern.compile("\\.(lora_[AB])\\.default\\.(weight|bias)$");

    private static final Set<String> SAVED_EMBEDDINGS = Set.of("embed_tokens", "lm_head");

    private final Base base;

    /** The outermost modules of the base: what is in none of them belongs to the whole adapter. */
    private final Set<String> modules = new HashSet<>();

    PeftLayout(Base base) {
        this.base = base;
        base.sites().forEach(site -> modules.add(outermost(site.name())));
        base.parameters().keySet().forEach(name -> modules.add(outermost(name)));
    }

    private static String outermost(String name) {
        int end = name.indexOf('.');
        return end < 0 ? name : name.substring(0, end);
    }

    @Override
    public String tensorFile() {
        return "adapter_model.safetensors";
    }

    @Override
    public AdapterConfig read(Fields config, Path folder) {
        String type = config.string("peft_type");
        Method.Type method = null;
        List<String> known = new ArrayList<>();
        for (Method.Type candidate : Methods.all()) {
            if (candidate.layout() == Method.Layout.ADAPTER_HUB) {
                continue;
            }
            known.add(candidate.peftType());
            if (candidate.peftType().equals(type) && candidate.matches(config)) {
                method = candidate;
            }
        }
        if (method == null) {
            throw config.invalid(
                    "peft_type",
                    "one of "
                            + String.join(
                                    ", ", known.stream().distinct().sorted().toList()));
        }
        for (String field : method.required()) {
            if (!config.has(field)) {
                throw new FormatException(
                        config.source(),
                        field
                                + " is missing: PEFT would take its default silently; write the value it was trained"
                                + " with",
                        null);
            }
        }
        config.ignore("peft_version", "auto_mapping", "inference_mode");
        String task = config.stringOrNull("task_type");
        List<String> modules = config.stringsOrNull("modules_to_save");
        Task taskType = task == null ? null : task(config, task);
        AdapterConfig read = new AdapterConfig(
                method.read(config, base),
                modules == null ? List.of() : modules,
                taskType,
                config.stringOrNull("base_model_name_or_path"),
                config.stringOrNull("revision"));
        config.ignoreNulls();
        config.rejectUnread("It may change what the adapter means; remove it if it does not.");
        return read;
    }

    private static Task task(Fields config, String name) {
        for (Task task : Task.values()) {
            if (task.name().equals(name)) {
                return task;
            }
        }
        throw config.invalid("task_type", "one of " + List.of(Task.values()) + " or null");
    }

    @Override
    public ObjectNode write(AdapterContent adapter, Method method) {
        AdapterConfig config = adapter.config();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        method.write(json, adapter.base());
        json.put("peft_type", method.type().peftType());
        Task task = config.task();
        json.put("task_type", task == null || !task.isPeftTask() ? null : task.name());
        json.put("base_model_name_or_path", config.baseName());
        json.put("revision", config.revision());
        json.put("inference_mode", true);
        if (json.has("fan_in_fan_out")) {
            json.put(
                    "fan_in_fan_out",
                    adapter.sites().stream().anyMatch(site -> site instanceof Linear linear && linear.transposed()));
        }
        json.put("peft_version", VERSION);
        json.putNull("auto_mapping");
        if (config.modulesToSave().isEmpty()) {
            if (config.method().type().savesModules()) {
                json.putNull("modules_to_save");
            }
        } else {
            ArrayNode modules = json.putArray("modules_to_save");
            config.modulesToSave().stream().sorted().forEach(modules::add);
        }
        return json;
    }

    @Override
    public String fileKey(AdapterConfig config, String parameter) {
        boolean shared = parameter.indexOf('.') < 0 || !modules.contains(outermost(parameter));
        if (config.method().type().layout() == Method.Layout.PEFT_PROMPT) {
            return shared ? parameter : "base_model." + parameter;
        }
        return (shared ? "base_model." : "base_model.model.") + parameter;
    }

    /**
     * Removes the adapter's name before the last part, as in {@code lora_A.default.weight}: the form of a model in memory.
     */
    @Override
    public String canonicalKey(String key) {
        return NAMED.matcher(key).replaceFirst(".$1.$2");
    }

    /**
     * A tied masked-language-model head has its bias under two names. A tied head, or both sides of an encoder-decoder with a shared embedding,
     * also contain the trained rows of the embedding.
     */
    @Override
    public List<String> aliasKeys(AdapterContent adapter, String parameter) {
        if (parameter.equals("cls.predictions.bias") || parameter.equals("lm_head.bias")) {
            return List.of("base_model.model." + parameter.replace("bias", "decoder.bias"));
        }
        Linear head = adapter.base().head().output();
        String rows = ".trainable_tokens_delta";
        if (head == null
                || !parameter.endsWith(rows)
                || parameter.endsWith(".token_adapter" + rows)
                || parameter.equals(head.name() + rows)) {
            return List.of();
        }
        List<String> twins = new ArrayList<>();
        String embedding = parameter.substring(0, parameter.length() - rows.length());
        if (embedding.equals("shared") || embedding.endsWith(".shared")) {
            String model = "base_model.model." + embedding.substring(0, embedding.length() - "shared".length());
            twins.add(model + "encoder.embed_tokens" + rows);
            twins.add(model + "decoder.embed_tokens" + rows);
        }
        if (adapter.sites().contains(head)) {
            twins.add("base_model.model." + head.name() + rows);
        }
        return twins;
    }

    /**
     * PEFT saves the whole matrix of a targeted embedding or vocabulary head, under one of two names, beside the update.
     */
    @Override
    public Map<String, Tensor> baseCopies(AdapterContent adapter) {
        Map<String, Tensor> copies = new LinkedHashMap<>();
        for (Site site : adapter.sites()) {
            String module = site.name().substring(site.name().lastIndexOf('.') + 1);
            if (!SAVED_EMBEDDINGS.contains(module)) {
                continue;
            }
            boolean delta = adapter.effects(site).stream()
                    .anyMatch(effect -> effect instanceof Effect.Delta || effect instanceof Effect.Reweight);
            boolean targeted = adapter.parameters().keySet().stream()
                    .anyMatch(key -> key.startsWith(site.name() + ".")
                            && !key.startsWith(site.name() + ".base_layer.")
                            && !key.startsWith(site.name() + ".token_adapter.")
                            && !key.endsWith(".trainable_tokens_delta"));
            if (!delta || !targeted) {
                continue;
            }
            String key = "base_model.model." + site.name() + ".base_layer.weight";
            if (site instanceof Embedding embedding && embedding.input()) {
                copies.put(key, embedding.weight());
            } else if (site instanceof Linear linear
                    && linear.role() == Role.HEAD
                    && adapter.base().task() != Task.IMAGE_CLS
                    && adapter.base().task() != Task.SEMANTIC_SEG
                    && linear == adapter.base().head().output()) {
                copies.put(key, linear.weight());
            }
        }
        return copies;
    }

    /** PEFT, with bias "all", saves the biases of a module that is saved whole again under its wrapper's names. */
    @Override
    public boolean isLeftover(String key, AdapterContent adapter) {
        return key.endsWith(".bias") && (key.contains(".original_module.") || key.contains(".modules_to_save."));
    }
}
