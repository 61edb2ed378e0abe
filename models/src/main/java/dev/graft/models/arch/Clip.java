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
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * CLIP (Radford et al., 2021): a causal text tower and an image tower. The cosine of their projections to a common
 * space compares them. A batch may have different numbers of texts and images. A selection with one adapter per row is
 * for batches of one kind.
 */
public final class Clip implements Backbone {
    private static final PreNormEncoder.Names NAMES =
            new PreNormEncoder.Names("layer_norm1", "self_attn", "out_proj", "layer_norm2", null);

    private final Text text;
    private final Vision vision;
    private final int projected;

    private Clip(Fields f, Weights w) {
        projected = f.integer("projection_dim", 512);
        text = new Text(f.object("text_config"), w, projected);
        vision = new Vision(f.object("vision_config"), w, projected);
    }

    private static PreNormEncoder.Config shape(Fields f) {
        return new PreNormEncoder.Config(
                f.integer("hidden_size"),
                f.integer("num_attention_heads"),
                f.integer("intermediate_size"),
                f.integer("num_hidden_layers"),
                Activation.read(f, "hidden_act", "quick_gelu"),
                f.number("layer_norm_eps", 1e-5, 0, 1),
                true,
                0,
                f.number("attention_dropout", 0.0, 0, 1));
    }

    private static Tensor unit(Tensor rows) {
        return rows.div(Ops.norm(rows, -1, true));
    }

    /** The text tower; the vector of a text is the state of its end token. */
    private static final class Text {
        private final PreNormEncoder.Config shape;
        private final Embedding tokens;
        private final Embedding positions;
        private final PreNormEncoder layers;
        private final Norm norm;
        private final Linear projection;
        private final int end;

        Text(Fields f, Weights w, int projected) {
            shape = shape(f);
            String e = "text_model.embeddings.";
            int h = shape.hidden();
            int vocab = f.integer("vocab_size", 49408);
            tokens = new Embedding(e + "token_embedding", w.matrix(e + "token_embedding.weight", vocab, h), true);
            int count = f.integer("max_position_embeddings", 77);
            positions =
                    new Embedding(e + "position_embedding", w.matrix(e + "position_embedding.weight", count, h), false);
            layers = new PreNormEncoder(w, "text_model.encoder.layers.", NAMES, shape);
            norm = PreNormEncoder.norm(w, "text_model.final_layer_norm", -1, h, shape.eps());
            projection = PreNormEncoder.linear(w, "text_projection", Role.HEAD, -1, projected, h, false);
            end = f.integer("eos_token_id", 49407, 0);
        }

        Tensor rows(Inputs in, ForwardPass pass) {
            ScalarType small = norm.weight().scalar_type();
            Tensor start = PreNormEncoder.embedded(tokens, positions, in, small, pass);
            Tensor h = layers.forward(start, true, pass);
            pass.collect(h);
            Tensor last = LayerOps.norm(pass, norm, h, small);
            // Configurations from before 2023 say 2, which is wrong: there the end token is the one with the highest
            // id.
            Tensor ends = end == 2
                    ? in.ids().argmax(new LongOptional(1), false)
                    : Ops.to(in.ids().eq(new Scalar((long) end)), ScalarType.Long)
                            .argmax(new LongOptional(1), false);
            return pass.segment(() -> {
                Tensor index = Ops.plusLong(ends, pass.context().prompt())
                        .view(-1, 1, 1)
                        .expand(last.size(0), 1, last.size(2));
                return new Tensor[] {
                    unit(pass.hooks().linear(projection, last.gather(1, index).squeeze(1), pass))
                };
            })[0];
        }
    }

    /** The image tower; the vector of an image is the state of the class token. */
    private static final class Vision {
        private final PreNormEncoder.Config shape;
        private final int image;
        private final Convolution patches;
        private final Tensor classToken;
        private final Embedding positions;
        private final Norm before;
        private final PreNormEncoder layers;
        private final Norm after;
        private final Linear projection;

        Vision(Fields f, Weights w, int projected) {
            shape = shape(f);
            int h = shape.hidden();
            image = f.integer("image_size", 224);
            int patch = f.integer("patch_size", 32);
            if (patch < 1 || image % patch != 0) {
                throw f.invalid("patch_size", "a divisor of image_size " + image);
            }
            String e = "vision_model.embeddings.";
            patches = new Convolution(
                    e + "patch_embedding",
                    Role.PATCH,
                    -1,
                    w.kernels(e + "patch_embedding.weight", h, f.integer("num_channels", 3), patch, patch),
                    null,
                    Convolution.Geometry.patches(2, patch));
            classToken = w.vector(e + "class_embedding", h);
            long side = image / patch;
            positions = new Embedding(
                    e + "position_embedding", w.matrix(e + "position_embedding.weight", side * side + 1, h), false);
            before = PreNormEncoder.norm(w, "vision_model.pre_layrnorm", -1, h, shape.eps());
            layers = new PreNormEncoder(w, "vision_model.encoder.layers.", NAMES, shape);
            after = PreNormEncoder.norm(w, "vision_model.post_layernorm", -1, h, shape.eps());
            projection = PreNormEncoder.linear(w, "visual_projection", Role.HEAD, -1, projected, h, false);
        }

        Tensor rows(Inputs in, ForwardPass pass) {
            ScalarType small = before.weight().scalar_type();
            Tensor cut = LayerOps.convolution(pass, patches, in.image(patches.in(), image, image));
            Tensor start = pass.segment(() -> {
                Tensor rows = Ops.to(cut.flatten(2, 3).transpose(1, 2), small);
                Tensor first = classToken.view(1, 1, -1).expand(rows.size(0), 1, rows.size(2));
                Tensor all = Ops.cat(1, first, rows);
                pass.context().setInputs(Tensors.ones(ScalarType.Long, all.size(0), all.size(1)));
                Tensor places = Tensors.arange(all.size(1)).unsqueeze(0).expand(all.size(0), -1);
                return new Tensor[] {all.add(Ops.to(pass.hooks().embedding(positions, places, pass), small))};
            })[0];
            Tensor h = layers.forward(LayerOps.norm(pass, before, start, small), false, pass);
            pass.collect(h);
            return pass.segment(() -> {
                Tensor pooled = pass.hooks().norm(after, h.select(1, 0), pass);
                return new Tensor[] {unit(pass.hooks().linear(projection, pooled, pass))};
            })[0];
        }
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        Tensor texts = text.rows(in, pass);
        return pass.result(texts.unsqueeze(1), vision.rows(in, pass.encoder()));
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(text.tokens, text.positions));
        text.layers.addSites(sites);
        sites.addAll(List.of(text.norm, vision.patches, vision.positions, vision.before));
        vision.layers.addSites(sites);
        sites.addAll(List.of(vision.after, vision.projection, text.projection));
        return sites;
    }

    /** The space in which texts and images meet, and the text tower. */
    @Override
    public Size size() {
        return new Size(
                Math.toIntExact(text.tokens.rows()),
                projected,
                text.shape.layers(),
                text.shape.heads(),
                Math.toIntExact(text.positions.rows()));
    }

    /** Reads {@code model_type: clip}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "clip";
        }

        @Override
        public String prefix() {
            return "";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.CONTRASTIVE);
        }

        @Override
        public String classNamePrefix() {
            return "CLIP";
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            Clip clip = new Clip(config, weights);
            return new Model(
                    clip,
                    new Head.Contrastive(
                            weights.get("logit_scale", weights.numerics().small()), null));
        }
    }
}
