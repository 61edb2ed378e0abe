package dev.graft.peft.methods;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A LoRA that acts on some tokens of a text more than on others, beside others of its kind. A classifier's head that it was trained with
 * isn't part of it.
 *
 * @param values its tensors by name; those that are missing start as in a new adapter
 */
public record LoraExpert(LoraConfig config, Map<String, Tensor> values) {
    public LoraExpert {
        values = Map.copyOf(values);
        if (config.loraBias() || config.bias() != Bias.NONE || !config.tokens().isEmpty()) {
            throw new InputException(
                    "an expert trains biases or rows of tokens beside its updates of weights, which can't be"
                            + " chosen by tokens");
        }
        if (config.replication() != null) {
            throw new InputException("an expert has layer_replication, and with it another base than the others");
        }
    }

    /** A trained one. */
    public static LoraExpert of(Adapter adapter) {
        if (!(adapter.method() instanceof Lora lora)) {
            throw new InputException("an expert is a " + adapter.method().type().name()
                    + " adapter, expected a plain LoRA; `graft convert ADAPTER --to lora` makes one of it");
        }
        for (String key : adapter.parameters().keySet()) {
            if (adapter.config().savesBesideHead(adapter.base(), key)) {
                throw new InputException(
                        "an expert trained and saved " + key
                                + " whole (modules_to_save), which can't be chosen by tokens; take adapters without modules_to_save");
            }
        }
        Map<String, Tensor> values = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> values.put(key, parameter.value()));
        return new LoraExpert(lora.config(), values);
    }
}
