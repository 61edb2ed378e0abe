package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.HookedPass;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * DINOv2 (Oquab et al., 2023): a ViT whose blocks' outputs are scaled by learned vectors, with a gated feed-forward
 * block in its largest size. It accepts images of any size and interpolates the learned positions. A classifier reads
 * the class token and the mean of the patches.
 */
public final class Dinov2 implements Architecture {
    private static final PreNormEncoder.Names NAMES = new PreNormEncoder.Names(
            "norm1",
            "attention",
            "o_proj",
            "norm2",
            new PreNormEncoder.Scales("layer_scale1.lambda1", "layer_scale2.lambda1"));
    private static final PreNormEncoder.Gated GATED =
            new PreNormEncoder.Gated("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "mlp.weights_in");

    @Override
    public String modelType() {
        return "dinov2";
    }

    @Override
    public String prefix() {
        return "dinov2.";
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS, Task.SEMANTIC_SEG);
    }

    @Override
    public String classNamePrefix() {
        return "Dinov2";
    }

    private static PreNormEncoder.Config shape(Fields f) {
        int hidden = f.integer("hidden_size", 768);
        boolean gated = f.bool("use_swiglu_ffn", false);
        int wide = (int) (hidden * f.number("mlp_ratio", 4.0));
        if (f.number("drop_path_rate", 0.0, 0, 1) != 0) {
            throw f.invalid("drop_path_rate", "0: whole blocks are not dropped here");
        }
        return new PreNormEncoder.Config(
                hidden,
                f.integer("num_attention_heads", 12),
                // Two thirds, since there are three matrices in place of two, up to the next multiple of 8.
                gated ? ((int) (wide * 2 / 3.0) + 7) / 8 * 8 : wide,
                f.integer("num_hidden_layers", 12),
                gated ? Activation.SILU : Activation.read(f, "hidden_act", "gelu"),
                f.number("layer_norm_eps", 1e-6, 0, 1),
                f.bool("qkv_bias", true),
                f.number("hidden_dropout_prob", 0.0, 0, 1),
                f.number("attention_probs_dropout_prob", 0.0, 0, 1),
                gated ? GATED : null);
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        weights.rename(this::checkpointName);
        String prefix = spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix();
        PreNormEncoder.Config shape = shape(config);
        String e = prefix + "embeddings.";
        int hidden = shape.hidden();
        PatchEmbeddings embeddings = PatchEmbeddings.read(config, weights, e, hidden, List.of("cls_token"), 14, true);
        if (weights.has(e + "mask_token")) {
            // Only pre-training uses it; it stays with the model.
            weights.get(e + "mask_token", weights.numerics().small(), 1, hidden);
        }
        Vit vit = new Vit(weights, prefix, embeddings, "encoder.layer.", NAMES, shape, null);
        return new Model(
                vit,
                switch (spec.task()) {
                    case IMAGE_CLS ->
                        new ClassAndPatchesHead(
                                weights.headLinear("classifier", spec.labels(), 2L * hidden, true, spec.seed()));
                    case SEMANTIC_SEG -> vit.segmenter(weights, spec);
                    default -> new Head.NoHead(List.of());
                });
    }

    @Override
    public String checkpointName(String name) {
        return name.replace(".attention.q_proj.", ".attention.attention.query.")
                .replace(".attention.k_proj.", ".attention.attention.key.")
                .replace(".attention.v_proj.", ".attention.attention.value.")
                .replace(".attention.o_proj.", ".attention.output.dense.")
                .replace(".mlp.down_proj.", ".mlp.weights_out.");
    }

    /** A linear map of the class token beside the mean of the patches. */
    private record ClassAndPatchesHead(Linear output) implements Head.CustomHead {
        @Override
        public List<Site> sites() {
            return List.of(output);
        }

        @Override
        public Tensor rows(HiddenStates hidden, HookedPass pass) {
            Tensor last = hidden.last();
            long patches = hidden.prompt() + 1;
            Tensor mean = Ops.mean(last.narrow(1, patches, last.size(1) - patches), 1, false);
            return Ops.cat(-1, last.select(1, hidden.prompt()), mean);
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return pass.hooks().linear(output, rows, pass);
        }
    }
}
