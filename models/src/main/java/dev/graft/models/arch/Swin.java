package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.BiasedAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Swin (Liu et al., 2021): patches attend inside windows, with a learned bias for each distance. Every second layer
 * shifts the windows by half their side. Between stages four patches become one, twice as wide. A classifier reads the
 * mean of the patches of the last stage. Only linear layers and norms are sites. The layers are not, since their widths
 * differ and attention sees only windows.
 */
public final class Swin implements Backbone {
    private final Convolution patches;
    private final Norm entering;
    private final List<Stage> stages = new ArrayList<>();
    private final Norm norm;
    private final Activation activation;
    private final int image;
    private final double attentionDropout;
    private final double dropout;
    private final Size size;

    /**
     * @param bias the bias {@code [windows or 1, heads, window², window²]}, for distances and against the patches that
     *     a shift brings together
     * @param windows the partition of the grid into windows
     * @param drop the probability that an image skips the layer's blocks in training
     */
    private record SwinLayer(
            Norm before,
            Linear q,
            Linear k,
            Linear v,
            Linear o,
            Tensor bias,
            SwinWindows windows,
            Norm after,
            Linear up,
            Linear down,
            int heads,
            double drop) {
        List<Site> sites() {
            return List.of(before, q, k, v, o, after, up, down);
        }
    }

    /** @param reduction the projection to the next stage's width; null in the last stage */
    private record Stage(
            List<SwinLayer> layers,
            int side,
            @Nullable Norm merging,
            @Nullable Linear reduction) {}

    private Swin(Fields f, Weights w, String prefix) {
        if (f.bool("use_absolute_embeddings", false)) {
            throw f.invalid("use_absolute_embeddings", "false");
        }
        activation = Activation.read(f, "hidden_act", "gelu");
        image = f.integer("image_size", 224);
        dropout = f.number("hidden_dropout_prob", 0.0, 0, 1);
        attentionDropout = f.number("attention_probs_dropout_prob", 0.0, 0, 1);
        double eps = f.number("layer_norm_eps", 1e-5, 0, 1);
        int width = f.integer("embed_dim", 96);
        int patch = PatchEmbeddings.patch(f, image, 4);
        String e = prefix + "embeddings.";
        String projection = e + "patch_embeddings.projection";
        patches = PatchEmbeddings.convolution(f, w, projection, width, patch, w.bias(projection + ".bias", width));
        entering = PreNormEncoder.norm(w, e + "norm", -1, width, 1e-5);
        if (w.has(e + "mask_token")) {
            // Only pre-training uses it; it stays with the model.
            w.get(e + "mask_token", w.numerics().small(), 1, 1, width);
        }
        List<Integer> depths = ResNet.integers(f, "depths");
        List<Integer> heads = ResNet.integers(f, "num_heads");
        if (heads.size() != depths.size()) {
            throw f.invalid("num_heads", "as many numbers as depths has");
        }
        int all = depths.stream().mapToInt(depth -> depth).sum();
        int side = image / patch;
        int number = 0;
        for (int stage = 0; stage < depths.size(); stage++) {
            String s = prefix + "encoder.layers." + stage + ".";
            int window = window(f, side);
            List<SwinLayer> layers = new ArrayList<>();
            for (int i = 0; i < depths.get(stage); i++, number++) {
                SwinWindows windows = new SwinWindows(side, window, i % 2 == 0 || side == window ? 0 : window / 2);
                double drop = all == 1 ? 0 : f.number("drop_path_rate", 0.1, 0, 1) * number / (all - 1);
                layers.add(layer(f, w, s + "blocks." + i + ".", number, width, heads.get(stage), windows, eps, drop));
            }
            boolean last = stage == depths.size() - 1;
            if (!last && side % 2 != 0) {
                throw f.invalid("image_size", "a size whose patches come to an even number a side before each stage");
            }
            stages.add(new Stage(
                    layers,
                    side,
                    last ? null : PreNormEncoder.norm(w, s + "downsample.norm", -1, 4 * width, 1e-5),
                    last
                            ? null
                            : w.linear(
                                    s + "downsample.reduction", Role.PROJECTION, -1, 2L * width, 4L * width, false)));
            side = last ? side : side / 2;
            width = last ? width : 2 * width;
        }
        norm = PreNormEncoder.norm(w, prefix + "layernorm", -1, width, eps);
        size = new Size(0, width, all, heads.get(heads.size() - 1), side * side);
    }

    private static int window(Fields f, int side) {
        int window = f.integer("window_size", 7);
        if (side % window != 0) {
            throw f.invalid("window_size", "a divisor of " + side + ", the patches a side of a stage");
        }
        return window;
    }

    private static SwinLayer layer(
            Fields f,
            Weights w,
            String name,
            int layer,
            int width,
            int heads,
            SwinWindows windows,
            double eps,
            double drop) {
        if (width % heads != 0) {
            throw f.invalid("num_heads", "divisors of the stages' widths, such as " + width);
        }
        String a = name + "attention.";
        boolean bias = f.bool("qkv_bias", true);
        int wide = (int) (width * f.number("mlp_ratio", 4.0));
        long distances = 2L * windows.window() - 1;
        Tensor table = w.get(
                a + "relative_position_bias.relative_position_bias_table",
                w.numerics().small(),
                distances * distances,
                heads);
        Tensor full = windows.bias(table);
        full.retainReference();
        return new SwinLayer(
                PreNormEncoder.norm(w, name + "layernorm_before", layer, width, eps),
                PreNormEncoder.linear(w, a + "q_proj", Role.QUERY, layer, width, width, bias),
                PreNormEncoder.linear(w, a + "k_proj", Role.KEY, layer, width, width, bias),
                PreNormEncoder.linear(w, a + "v_proj", Role.VALUE, layer, width, width, bias),
                PreNormEncoder.linear(w, a + "o_proj", Role.OUTPUT, layer, width, width, true),
                full,
                windows,
                PreNormEncoder.norm(w, name + "layernorm_after", layer, width, eps),
                PreNormEncoder.linear(w, name + "mlp.fc1", Role.UP, layer, wide, width, true),
                PreNormEncoder.linear(w, name + "mlp.fc2", Role.DOWN, layer, width, wide, true),
                heads,
                drop);
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        Tensor cut = LayerOps.convolution(pass, patches, in.image(patches.in(), image, image));
        Tensor rows = pass.segment(() -> new Tensor[] {Ops.to(cut.flatten(2, 3).transpose(1, 2), small)})[0];
        Tensor normed = LayerOps.norm(pass, entering, rows, small);
        Tensor h = pass.isTraining() && dropout > 0
                ? pass.segment(() -> new Tensor[] {Dropout.apply(normed, dropout, true)})[0]
                : normed;
        pass.collect(h);
        for (Stage stage : stages) {
            for (SwinLayer layer : stage.layers) {
                Tensor x = h;
                h = pass.layer(() -> forward(layer, x, pass));
            }
            if (stage.merging != null && stage.reduction != null) {
                Tensor x = h;
                Tensor four = pass.segment(() -> new Tensor[] {SwinWindows.byFours(x, stage.side)})[0];
                Tensor reduced = LayerOps.linear(
                        pass, stage.reduction, LayerOps.norm(pass, stage.merging, four, stage.reduction.type()));
                h = LayerOps.norm(pass, null, reduced, small);
            }
            pass.collect(h);
        }
        pass.context().setInputs(Tensors.ones(ScalarType.Long, h.size(0), h.size(1)));
        return pass.result(LayerOps.norm(pass, norm, h, small));
    }

    private Tensor forward(SwinLayer layer, Tensor h, ForwardPass pass) {
        ScalarType base = layer.q.type();
        Tensor before = LayerOps.norm(pass, layer.before, h, base);
        Tensor x = pass.segment(() -> new Tensor[] {layer.windows.cut(before)})[0];
        Tensor q = heads(layer, LayerOps.linear(pass, layer.q, x), pass);
        Tensor k = heads(layer, LayerOps.linear(pass, layer.k, x), pass);
        Tensor v = heads(layer, LayerOps.linear(pass, layer.v, x), pass);
        long windows = layer.windows.count();
        Tensor bias = layer.bias.size(0) == 1
                ? layer.bias
                : pass.segment(() -> new Tensor[] {layer.bias.repeat(q.size(0) / windows, 1, 1, 1)})[0];
        double scale = 1 / Math.sqrt(q.size(3));
        Tensor attended = BiasedAttention.attend(q, k, v, scale, bias, attentionDropout, pass);
        Tensor whole = pass.segment(() -> new Tensor[] {attended.reshape(h.size(0), h.size(1), h.size(2))})[0];
        Tensor out = LayerOps.linear(pass, layer.o, whole);
        Tensor middle = pass.segment(() -> new Tensor[] {h.add(passing(layer, layer.windows.put(out), pass))})[0];
        Tensor y = LayerOps.norm(pass, layer.after, middle, base);
        Tensor down = LayerOps.linear(
                pass, layer.down, LayerOps.activate(pass, activation, LayerOps.linear(pass, layer.up, y)));
        return pass.segment(() -> new Tensor[] {middle.add(passing(layer, down, pass))})[0];
    }

    /** Returns {@code [images · windows, heads, window², headDim]} of {@code [images, windows · window², width]}. */
    private static Tensor heads(SwinLayer layer, Tensor x, ForwardPass pass) {
        long window = layer.windows.window();
        long points = window * window;
        return pass.segment(() -> new Tensor[] {
            x.reshape(x.size(0) * layer.windows.count(), points, layer.heads, x.size(2) / layer.heads)
                    .transpose(1, 2)
        })[0];
    }

    /** Applies dropout to a block's output in training: of its values, and of the whole output for some images. */
    private Tensor passing(SwinLayer layer, Tensor output, ForwardPass pass) {
        Tensor dropped = Dropout.apply(output, dropout, pass.isTraining());
        return pass.isTraining() && layer.drop > 0
                ? dropped.mul(Dropout.mask(dropped.scalar_type(), layer.drop, dropped.size(0), 1, 1))
                : dropped;
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(patches, entering));
        for (Stage stage : stages) {
            stage.layers.forEach(layer -> sites.addAll(layer.sites()));
            if (stage.merging != null && stage.reduction != null) {
                sites.addAll(List.of(stage.merging, stage.reduction));
            }
        }
        sites.add(norm);
        return sites;
    }

    /** The last stage's width, heads and patches. */
    @Override
    public Size size() {
        return size;
    }

    /** Reads {@code model_type: swin}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "swin";
        }

        @Override
        public String prefix() {
            return "swin.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS);
        }

        @Override
        public String classNamePrefix() {
            return "Swin";
        }

        @Override
        public String checkpointName(String name) {
            return name.replace(".attention.q_proj.", ".attention.self.query.")
                    .replace(".attention.k_proj.", ".attention.self.key.")
                    .replace(".attention.v_proj.", ".attention.self.value.")
                    .replace(".attention.o_proj.", ".attention.output.dense.")
                    .replace(".attention.relative_position_bias.", ".attention.self.")
                    .replace(".mlp.fc1.", ".intermediate.dense.")
                    .replace(".mlp.fc2.", ".output.dense.");
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            weights.rename(this::checkpointName);
            boolean bare = spec.task() == Task.FEATURE_EXTRACTION;
            Swin swin = new Swin(config, weights, bare ? "" : prefix());
            if (bare) {
                return new Model(swin, new Head.NoHead(List.of()));
            }
            Linear output = weights.headLinear("classifier", spec.labels(), swin.size.hidden(), true, spec.seed());
            return new Model(swin, new Head.PerSequence(Head.Pooling.MEAN, null, 0, output));
        }
    }
}
