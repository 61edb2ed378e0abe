package dev.graft.peft.methods.mixture;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bias;
import dev.graft.peft.Method;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A LoRA in a mixture, with different weights for different tokens. Its classifier head, if any, isn't part of it.
 *
 * @param values its tensors by name; missing ones are initialised as in a new adapter
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

    /**
     * Returns a trained adapter as an expert.
     *
     * @throws dev.graft.formats.InputException if it is no LoRA
     */
    public static LoraExpert of(Adapter adapter) {
        if (!(adapter.method() instanceof Lora lora)) {
            throw new InputException("an expert is a " + adapter.method().type().name()
                    + " adapter, expected a plain LoRA; `graft convert ADAPTER --to lora` makes one of it");
        }
        for (String key : adapter.parameters().keySet()) {
            if (adapter.config().savesBesideHead(adapter.base(), key)) {
                throw new InputException("an expert trained and saved " + key
                        + " whole (modules_to_save), which can't be chosen by tokens; take adapters without"
                        + " modules_to_save");
            }
        }
        return of(lora, adapter);
    }

    static LoraExpert of(Lora lora, Method.Instance adapter) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> values.put(key, parameter.value()));
        return new LoraExpert(lora.config(), values);
    }
}
