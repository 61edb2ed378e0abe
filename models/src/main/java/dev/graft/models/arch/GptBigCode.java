package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/**
 * GPT-BigCode, the family of SantaCoder and StarCoder (Ben Allal et al., 2023; Li et al., 2023): GPT-2 with one head of keys and values
 * for all queries (Shazeer, 2019), and matrices as {@code [out, in]}.
 */
public final class GptBigCode extends GptFamily {
    /** Reads {@code model_type: gpt_bigcode}. */
    public GptBigCode() {
        super("gpt_bigcode", "GPTBigCode");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    GptDecoder.Config config(Fields f) {
        Backbone.Size size = Gpt2.size(f);
        boolean shared = f.bool("multi_query", true);
        // Types in which fp16 models sum; the softmax is in fp32 or wider here.
        f.bool("attention_softmax_in_fp32", true);
        f.bool("scale_attention_softmax_in_fp32", true);
        GptDecoder.Heads heads = new GptDecoder.Heads(
                shared ? 1 : size.heads(),
                shared ? QkvLayout.PARTS : new QkvLayout(size.heads()),
                true,
                true,
                Double.POSITIVE_INFINITY,
                f.number("attn_pdrop", 0.1, 0, 1),
                GptDecoder.LayerKind.same(size, Gpt2.scale(f, size)));
        return Gpt2.config(f, size, heads, "gelu_pytorch_tanh", false);
    }
}
