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
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * SigLIP (Zhai et al., 2023): a bidirectional text tower, whose last position represents the text, and an image tower
 * without a class token. A learned query pools the patches of an image. Texts are padded to full length with tokens
 * that attention sees: the last position may be one.
 */
public final class Siglip implements Backbone {
    private static final PreNormEncoder.Names NAMES =
            new PreNormEncoder.Names("layer_norm1", "self_attn", "out_proj", "layer_norm2", null);

    private final Text text;
    private final Vision vision;
    private final AttentionPool pool;

    private Siglip(Fields f, Weights w) {
        Fields seen = f.object("vision_config");
        vision = new Vision(seen, w);
        if (!seen.bool("vision_use_head", true)) {
            throw seen.invalid("vision_use_head", "true where texts and images meet");
        }
        text = new Text(f.object("text_config"), w, vision.shape.hidden());
        pool = new AttentionPool(w, "vision_model.head.", vision.shape);
    }

    private static PreNormEncoder.Config shape(Fields f) {
        return new PreNormEncoder.Config(
                f.integer("hidden_size", 768),
                f.integer("num_attention_heads", 12),
                f.integer("intermediate_size", 3072),
                f.integer("num_hidden_layers", 12),
                Activation.read(f, "hidden_act", "gelu_pytorch_tanh"),
                f.number("layer_norm_eps", 1e-6, 0, 1),
                true,
                0,
                f.number("attention_dropout", 0.0, 0, 1));
    }

    private static final class Text {
        private final PreNormEncoder.Config shape;
        private final Embedding tokens;
        private final Embedding positions;
        private final PreNormEncoder layers;
        private final Norm norm;
        private final Linear head;

        Text(Fields f, Weights w, int images) {
            shape = shape(f);
            int h = shape.hidden();
            String e = "text_model.embeddings.";
            tokens = w.tokenEmbedding(e + "token_embedding", f.integer("vocab_size", 32000), h, -1);
            positions = w.embedding(e + "position_embedding", f.integer("max_position_embeddings", 64), h);
            layers = new PreNormEncoder(w, "text_model.encoder.layers.", NAMES, shape);
            norm = PreNormEncoder.norm(w, "text_model.final_layer_norm", -1, h, shape.eps());
            Integer size = f.integerOrNull("projection_size");
            int projected = size == null ? h : size;
            if (projected != images) {
                throw f.invalid("projection_size", images + ", the size of an image's row");
            }
            head = PreNormEncoder.linear(w, "text_model.head", Role.HEAD, -1, projected, h, true);
        }

        Tensor rows(Inputs in, ForwardPass pass) {
            ScalarType small = norm.weight().scalar_type();
            Tensor start = PreNormEncoder.embedded(tokens, positions, in, small, pass);
            Tensor h = layers.forward(start, false, pass);
            pass.collect(h);
            Tensor last = LayerOps.norm(pass, norm, h, small);
            return pass.segment(() ->
                    new Tensor[] {unit(pass.hooks().linear(head, last.select(1, last.size(1) - 1), pass))})[0];
        }
    }

    /** The image tower, whose patches have no token before them. */
    private static final class Vision implements Backbone {
        private final PreNormEncoder.Config shape;
        private final int image;
        private final int patch;
        private final Convolution patches;
        private final Embedding positions;
        private final PreNormEncoder layers;
        private final Norm norm;

        Vision(Fields f, Weights w) {
            shape = shape(f);
            int h = shape.hidden();
            image = f.integer("image_size", 224);
            patch = PatchEmbeddings.patch(f, image, 16);
            String e = "vision_model.embeddings.";
            String name = e + "patch_embedding";
            patches = PatchEmbeddings.convolution(f, w, name, h, patch, w.bias(name + ".bias", h));
            long side = image / patch;
            positions = w.embedding(e + "position_embedding", side * side, h);
            layers = new PreNormEncoder(w, "vision_model.encoder.layers.", NAMES, shape);
            norm = PreNormEncoder.norm(w, "vision_model.post_layernorm", -1, h, shape.eps());
        }

        Tensor states(Inputs in, ForwardPass pass) {
            ScalarType small = norm.weight().scalar_type();
            Tensor cut = LayerOps.convolution(pass, patches, in.image(patches.in(), image, image));
            Tensor start = pass.segment(() -> {
                Tensor rows = Ops.to(cut.flatten(2, 3).transpose(1, 2), small);
                pass.context().setInputs(Tensors.ones(ScalarType.Long, rows.size(0), rows.size(1)));
                Tensor places = Tensors.arange(rows.size(1)).unsqueeze(0).expand(rows.size(0), -1);
                return new Tensor[] {rows.add(Ops.to(pass.hooks().embedding(positions, places, pass), small))};
            })[0];
            Tensor h = layers.forward(start, false, pass);
            pass.collect(h);
            return LayerOps.norm(pass, norm, h, small);
        }

        @Override
        public HiddenStates forward(Inputs in, ForwardPass pass) {
            return pass.result(states(in, pass));
        }

        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>(List.of(patches, positions));
            layers.addSites(sites);
            sites.add(norm);
            return sites;
        }

        @Override
        public Size size() {
            return new Size(0, shape.hidden(), shape.layers(), shape.heads(), Math.toIntExact(positions.rows()));
        }
    }

    private static Tensor unit(Tensor rows) {
        return rows.div(Ops.norm(rows, -1, true));
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        Tensor texts = text.rows(in, pass);
        ForwardPass encoderPass = pass.encoder();
        Tensor images = pool.rows(vision.states(in, encoderPass), encoderPass);
        return pass.result(texts.unsqueeze(1), pass.segment(() -> new Tensor[] {unit(images)})[0]);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(text.tokens, text.positions));
        text.layers.addSites(sites);
        sites.addAll(List.of(text.norm, text.head));
        sites.addAll(vision.sites());
        sites.addAll(pool.sites());
        return sites;
    }

    /** The space in which texts and images meet, and the text tower. */
    @Override
    public Size size() {
        return new Size(
                Math.toIntExact(text.tokens.rows()),
                vision.shape.hidden(),
                text.shape.layers(),
                text.shape.heads(),
                Math.toIntExact(text.positions.rows()));
    }

    /** Reads {@code model_type: siglip}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "siglip";
        }

        @Override
        public String prefix() {
            return "";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.IMAGE_CLS, Task.SEMANTIC_SEG, Task.CONTRASTIVE);
        }

        @Override
        public String classNamePrefix() {
            return "Siglip";
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            if (spec.task() != Task.CONTRASTIVE) {
                Vision vision = new Vision(config.object("vision_config"), weights);
                Linear output = weights.headLinear("classifier", spec.labels(), vision.hiddenSize(), true, spec.seed());
                return new Model(
                        vision,
                        spec.task() == Task.SEMANTIC_SEG
                                ? new Head.PerPatch(0, vision.patch, output)
                                : new Head.PerSequence(Head.Pooling.MEAN, null, 0, output));
            }
            ScalarType small = weights.numerics().small();
            return new Model(
                    new Siglip(config, weights),
                    new Head.Contrastive(weights.get("logit_scale", small, 1), weights.get("logit_bias", small, 1)));
        }
    }
}
