package dev.graft.run.methods;

import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import java.util.LinkedHashMap;
import java.util.Map;

/** Small encoders in memory, beside the decoders of {@link ProbeBase}. */
final class ProbeEncoders {
    private ProbeEncoders() {}

    /** A BERT of one layer without a head. */
    static Base bert() {
        String config = "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 8, "
                + "\"hidden_size\": 64, \"intermediate_size\": 128, \"num_hidden_layers\": 1, "
                + "\"num_attention_heads\": 1, \"max_position_embeddings\": 64, \"type_vocab_size\": 2}";
        Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        ProbeBase.put(tensors, "embeddings.word_embeddings.weight", 8, 64);
        ProbeBase.put(tensors, "embeddings.position_embeddings.weight", 64, 64);
        ProbeBase.put(tensors, "embeddings.token_type_embeddings.weight", 2, 64);
        String layer = "encoder.layer.0.";
        for (String projection : new String[] {"self.query", "self.key", "self.value", "output.dense"}) {
            ProbeBase.linear(tensors, layer + "attention." + projection, 64, 64);
        }
        ProbeBase.linear(tensors, layer + "intermediate.dense", 128, 64);
        ProbeBase.linear(tensors, layer + "output.dense", 64, 128);
        for (String norm : new String[] {"embeddings.", layer + "attention.output.", layer + "output."}) {
            ProbeBase.put(tensors, norm + "LayerNorm.weight", 64);
            ProbeBase.put(tensors, norm + "LayerNorm.bias", 64);
        }
        return ProbeBase.of(config, tensors);
    }

    /** A ViT of one layer, which cuts images of 8 x 8 by a convolution. */
    static Base vit() {
        String config =
                "{\"model_type\": \"vit\", \"architectures\": [\"ViTModel\"], \"image_size\": 8, \"patch_size\": 4,"
                        + " \"num_channels\": 3, \"hidden_size\": 64, \"intermediate_size\": 128, \"num_hidden_layers\":"
                        + " 1, \"num_attention_heads\": 1}";
        Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        ProbeBase.put(tensors, "embeddings.cls_token", 1, 1, 64);
        ProbeBase.put(tensors, "embeddings.position_embeddings", 1, 5, 64);
        ProbeBase.put(tensors, "embeddings.patch_embeddings.projection.weight", 64, 3, 4, 4);
        ProbeBase.put(tensors, "embeddings.patch_embeddings.projection.bias", 64);
        String layer = "encoder.layer.0.";
        for (String projection : new String[] {"attention.query", "attention.key", "attention.value", "output.dense"}) {
            ProbeBase.linear(tensors, layer + "attention." + projection, 64, 64);
        }
        ProbeBase.linear(tensors, layer + "intermediate.dense", 128, 64);
        ProbeBase.linear(tensors, layer + "output.dense", 64, 128);
        for (String norm : new String[] {layer + "layernorm_before", layer + "layernorm_after", "layernorm"}) {
            ProbeBase.put(tensors, norm + ".weight", 64);
            ProbeBase.put(tensors, norm + ".bias", 64);
        }
        return ProbeBase.of(config, tensors);
    }
}
