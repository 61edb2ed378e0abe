package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.models.weights.Weights;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * ViT (Dosovitskiy et al., 2021): a convolution that cuts an image into patches, a class token before them, learned
 * positions, and a pre-norm encoder. A classifier reads the class token. The arguments of the constructors of
 * {@link Deit} and {@link Dinov2} describe their differences.
 *
 * <p>Modules have the names that transformers has had since version 5; files have the older ones.
 */
public final class Vit implements Backbone {
    private static final PreNormEncoder.Names NAMES =
            new PreNormEncoder.Names("layernorm_before", "attention", "o_proj", "layernorm_after", null);

    private final PatchEmbeddings embeddings;
    private final PreNormEncoder.Config shape;
    private final PreNormEncoder layers;
    private final Stream stream;
    private final Norm norm;
    private final @Nullable Linear pooler;

    /** @param layers the name of the list of layers, with a trailing dot */
    Vit(
            Weights w,
            String prefix,
            PatchEmbeddings embeddings,
            String layers,
            PreNormEncoder.Names names,
            PreNormEncoder.Config shape,
            @Nullable Linear pooler) {
        this.embeddings = embeddings;
        this.shape = shape;
        this.stream = Stream.of(prefix, shape.hidden());
        this.layers = new PreNormEncoder(w, prefix + layers, names, shape);
        this.norm = PreNormEncoder.norm(w, prefix + "layernorm", -1, shape.hidden(), shape.eps());
        this.pooler = pooler;
    }

    /** Reads the common parts of ViT and DeiT. */
    static Vit read(Fields f, Weights w, String prefix, List<String> tokens, boolean withPooler) {
        PreNormEncoder.Config shape = new PreNormEncoder.Config(
                f.integer("hidden_size"),
                f.integer("num_attention_heads"),
                f.integer("intermediate_size"),
                f.integer("num_hidden_layers"),
                Activation.read(f, "hidden_act", "gelu"),
                f.number("layer_norm_eps", 1e-12, 0, 1),
                f.bool("qkv_bias", true),
                f.number("hidden_dropout_prob", 0.0, 0, 1),
                f.number("attention_probs_dropout_prob", 0.0, 0, 1));
        int h = shape.hidden();
        String p = prefix + "pooler.dense";
        Integer pooled = f.integerOrNull("pooler_output_size");
        Linear pooler = withPooler && w.has(p + ".weight")
                ? PreNormEncoder.linear(w, p, Role.POOLER, -1, pooled == null ? h : pooled, h, true)
                : null;
        PatchEmbeddings embeddings = PatchEmbeddings.read(f, w, prefix + "embeddings.", h, tokens, 16, false);
        return new Vit(w, prefix, embeddings, "layers.", NAMES, shape, pooler);
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        Tensor start = LayerOps.enterLayers(pass, stream, embeddings.rows(in, small, shape.dropout(), pass));
        Tensor h = layers.forward(start, false, pass);
        pass.collect(h);
        return pass.result(LayerOps.norm(pass, norm, h, small));
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(embeddings.patches(), stream));
        layers.addSites(sites);
        sites.add(norm);
        if (pooler != null) {
            sites.add(pooler);
        }
        return sites;
    }

    @Override
    public Size size() {
        return new Size(0, shape.hidden(), shape.layers(), shape.heads(), embeddings.length());
    }

    /** Reads {@code model_type: vit}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "vit";
        }

        @Override
        public String prefix() {
            return "vit.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS, Task.SEMANTIC_SEG);
        }

        @Override
        public String classNamePrefix() {
            return "ViT";
        }

        @Override
        public String checkpointName(String name) {
            return older(name);
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            weights.rename(this::checkpointName);
            boolean bare = spec.task() == Task.FEATURE_EXTRACTION;
            Vit vit = read(config, weights, bare ? "" : prefix(), List.of("cls_token"), bare);
            return new Model(
                    vit,
                    switch (spec.task()) {
                        case IMAGE_CLS -> classifier(weights, vit.hiddenSize(), spec);
                        case SEMANTIC_SEG -> vit.segmenter(weights, spec);
                        default -> new Head.NoHead(List.of());
                    });
        }
    }

    /** Returns a linear map of every patch. */
    Head segmenter(Weights w, Architecture.HeadSpec spec) {
        return new Head.PerPatch(
                embeddings.tokens().size(),
                embeddings.patch(),
                w.headLinear("classifier", spec.labels(), shape.hidden(), true, spec.seed()));
    }

    /** Returns the name of a parameter in files. */
    static String older(String name) {
        return name.replaceFirst("(^|\\.)layers\\.", "$1encoder.layer.")
                .replace(".attention.q_proj.", ".attention.attention.query.")
                .replace(".attention.k_proj.", ".attention.attention.key.")
                .replace(".attention.v_proj.", ".attention.attention.value.")
                .replace(".attention.prefix_tuning.", ".attention.attention.prefix_tuning.")
                .replace(".attention.o_proj.", ".attention.output.dense.")
                .replace(".mlp.fc1.", ".intermediate.dense.")
                .replace(".mlp.fc2.", ".output.dense.")
                .replace(".output_adapters.", ".output.output_adapters.");
    }

    /** Returns a linear map of the class token. */
    static Head classifier(Weights w, int hidden, Architecture.HeadSpec spec) {
        Linear output = w.headLinear("classifier", spec.labels(), hidden, true, spec.seed());
        return new Head.PerSequence(Head.Pooling.FIRST, null, 0, output);
    }
}
