package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Head;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * ViT (Dosovitskiy et al., 2021): an image cut into patches by a convolution, a class token before them, learned positions, and a pre-norm
 * encoder. A classifier reads the class token.
 *
 * <p>Modules have the names that transformers has had since version 5; files have the older ones.
 */
public final class Vit implements Backbone {
    private static final PreNormEncoder.Names NAMES =
            new PreNormEncoder.Names("layernorm_before", "attention", "o_proj", "layernorm_after", null);

    private final PreNormEncoder.Shape shape;
    private final int image;
    private final Convolution patches;
    private final Tensor classToken;
    private final Tensor positions;
    private final PreNormEncoder layers;
    private final Stream stream;
    private final Norm norm;
    private final @Nullable Linear pooler;

    private Vit(Fields f, Weights w, String prefix, boolean withPooler) {
        shape = new PreNormEncoder.Shape(
                f.integer("hidden_size"),
                f.integer("num_attention_heads"),
                f.integer("intermediate_size"),
                f.integer("num_hidden_layers"),
                Activation.read(f, "hidden_act", "gelu"),
                f.number("layer_norm_eps", 1e-12),
                f.bool("qkv_bias", true),
                f.number("hidden_dropout_prob", 0.0),
                f.number("attention_probs_dropout_prob", 0.0));
        image = f.integer("image_size", 224);
        int patch = f.integer("patch_size", 16);
        if (patch < 1 || image % patch != 0) {
            throw f.wrong("patch_size", "a divisor of image_size " + image);
        }
        int channels = f.integer("num_channels", 3);
        int h = shape.hidden();
        String e = prefix + "embeddings.";
        String projection = e + "patch_embeddings.projection";
        patches = new Convolution(
                projection,
                Role.PATCH,
                -1,
                w.kernels(projection + ".weight", h, channels, patch, patch),
                w.bias(projection + ".bias", h),
                Convolution.Window.patches(2, patch));
        long side = image / patch;
        classToken = w.get(e + "cls_token", w.numerics().small(), 1, 1, h);
        positions = w.get(e + "position_embeddings", w.numerics().small(), 1, side * side + 1, h);
        stream = Stream.of(prefix, h);
        layers = new PreNormEncoder(w, prefix + "layers.", NAMES, shape);
        norm = PreNormEncoder.norm(w, prefix + "layernorm", -1, h, shape.eps());
        String p = prefix + "pooler.dense";
        pooler = withPooler && w.has(p + ".weight")
                ? PreNormEncoder.linear(w, p, Role.POOLER, -1, f.integer("pooler_output_size", h), h, true)
                : null;
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        ScalarType small = norm.weight().scalar_type();
        Tensor pixels = in.image(patches.in(), image, image);
        Tensor cut = pass.convolution(patches, pixels);
        Tensor h = pass.piece(() -> {
            Tensor rows = Ops.to(cut.flatten(2, 3).transpose(1, 2), small);
            Tensor all = Ops.cat(1, classToken.expand(rows.size(0), 1, rows.size(2)), rows);
            pass.sees(Tensors.ones(ScalarType.Long, all.size(0), all.size(1)));
            return new Tensor[] {Ops.dropout(all.add(positions), shape.dropout(), pass.isTraining())};
        })[0];
        h = layers.forward(pass.enter(stream, h), false, pass);
        pass.collect(h);
        return pass.result(pass.norm(norm, h, small));
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(patches, stream));
        layers.addSites(sites);
        sites.add(norm);
        if (pooler != null) {
            sites.add(pooler);
        }
        return sites;
    }

    @Override
    public Size size() {
        return new Size(0, shape.hidden(), shape.layers(), shape.heads(), (int) positions.size(1));
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
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS);
        }

        @Override
        public String stem() {
            return "ViT";
        }

        @Override
        public String stored(String name) {
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

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            weights.rename(this::stored);
            boolean classifies = spec.task() == Task.IMAGE_CLS;
            Vit vit = new Vit(config, weights, classifies ? prefix() : "", !classifies);
            return new Model(vit, classifies ? classifier(weights, vit.hiddenSize(), spec) : new Head.None(List.of()));
        }
    }

    /** A linear map of the class token. */
    static Head classifier(Weights w, int hidden, Architecture.HeadSpec spec) {
        Linear output = w.headLinear("classifier", spec.labels(), hidden, true, spec.seed());
        return new Head.Sequence(Head.Pooling.FIRST, null, 0, output);
    }
}
