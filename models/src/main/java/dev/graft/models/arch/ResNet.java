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
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * ResNet (He et al., 2016): stages of residual layers of two 3x3 convolutions, or of three, the outer ones 1x1. Batch
 * normalisation follows every convolution. It has the statistics of pre-training, which stay frozen, so it is no site.
 * A classifier reads the mean over the positions of the last stage. Images may have any size.
 */
public final class ResNet implements Backbone {
    private static final int REDUCTION = 4;

    private final ConvLayer stem;
    private final List<Residual> layers = new ArrayList<>();
    private final Activation activation;
    private final int hidden;

    /**
     * A convolution without a bias and its normalisation.
     *
     * @param scale {@code [channels, 1, 1]}
     * @param shift {@code [channels, 1, 1]}
     */
    private record ConvLayer(Convolution convolution, Tensor scale, Tensor shift) {
        private static final double EPS = 1e-5;

        static ConvLayer read(Weights w, String name, int layer, int in, int out, int kernel, int stride) {
            long pad = kernel / 2;
            Convolution convolution = new Convolution(
                    name + ".convolution",
                    layer < 0 ? Role.PATCH : Role.CONVOLUTION,
                    layer,
                    w.kernels(name + ".convolution.weight", out, in, kernel, kernel),
                    null,
                    new Convolution.Geometry(
                            List.of((long) stride, (long) stride), List.of(pad, pad), List.of(1L, 1L), 1));
            String n = name + ".normalization.";
            Tensor variance = w.buffer(n + "running_var", w.numerics().small(), out);
            Tensor mean = w.buffer(n + "running_mean", w.numerics().small(), out);
            if (w.has(n + "num_batches_tracked")) {
                w.buffer(n + "num_batches_tracked", ScalarType.Long);
            }
            Tensor scale =
                    w.vector(n + "weight", out).div(Ops.plus(variance, EPS).sqrt());
            Tensor shift = w.vector(n + "bias", out).sub(mean.mul(scale));
            return new ConvLayer(convolution, kept(scale), kept(shift));
        }

        private static Tensor kept(Tensor vector) {
            Tensor kept = vector.view(-1, 1, 1);
            kept.retainReference();
            return kept;
        }

        /** Applies the convolution, the normalisation and the activation, if there is one. */
        Tensor apply(Tensor x, @Nullable Activation activation, ForwardPass pass) {
            Tensor y = LayerOps.convolution(pass, convolution, x);
            return pass.segment(() -> {
                Tensor normed = Ops.to(y, scale.scalar_type()).mul(scale).add(shift);
                return new Tensor[] {activation == null ? normed : activation.apply(normed)};
            })[0];
        }
    }

    private record Residual(@Nullable ConvLayer shortcut, List<ConvLayer> convolutions) {
        Tensor apply(Tensor x, Activation activation, ForwardPass pass) {
            Tensor h = x;
            for (ConvLayer layer : convolutions) {
                boolean last = layer == convolutions.get(convolutions.size() - 1);
                h = layer.apply(h, last ? null : activation, pass);
            }
            Tensor residual = shortcut == null ? x : shortcut.apply(x, null, pass);
            Tensor output = h;
            return pass.segment(() -> new Tensor[] {activation.apply(output.add(residual))})[0];
        }
    }

    private ResNet(Fields f, Weights w, String prefix) {
        activation = Activation.read(f, "hidden_act", "relu");
        List<Integer> sizes = integers(f, "hidden_sizes");
        List<Integer> depths = integers(f, "depths");
        if (sizes.size() != depths.size()) {
            throw f.invalid("depths", "as many numbers as hidden_sizes has");
        }
        String type = f.string("layer_type", "bottleneck");
        if (!type.equals("bottleneck") && !type.equals("basic")) {
            throw f.invalid("layer_type", "bottleneck or basic");
        }
        boolean basic = type.equals("basic");
        boolean first = f.bool("downsample_in_bottleneck", false);
        int in = f.integer("embedding_size", 64);
        stem = ConvLayer.read(w, prefix + "embedder.embedder", -1, f.integer("num_channels", 3), in, 7, 2);
        for (int stage = 0; stage < sizes.size(); stage++) {
            int out = sizes.get(stage);
            for (int i = 0; i < depths.get(stage); i++) {
                boolean halves = i == 0 && (stage > 0 || f.bool("downsample_in_first_stage", false));
                String name = prefix + "encoder.stages." + stage + ".layers." + i;
                layers.add(residual(w, name, layers.size(), in, out, halves ? 2 : 1, basic, first));
                in = out;
            }
        }
        hidden = in;
    }

    static List<Integer> integers(Fields f, String field) {
        List<Integer> values = new ArrayList<>();
        for (JsonNode value : f.list(field)) {
            if (!value.isInt() || value.intValue() < 1) {
                throw f.invalid(field, "whole numbers of at least 1");
            }
            values.add(value.intValue());
        }
        if (values.isEmpty()) {
            throw f.invalid(field, "at least one number");
        }
        return values;
    }

    private static Residual residual(
            Weights w, String name, int layer, int in, int out, int stride, boolean basic, boolean halvesFirst) {
        ConvLayer shortcut =
                in == out && stride == 1 ? null : ConvLayer.read(w, name + ".shortcut", layer, in, out, 1, stride);
        String l = name + ".layer.";
        if (basic) {
            return new Residual(
                    shortcut,
                    List.of(
                            ConvLayer.read(w, l + 0, layer, in, out, 3, stride),
                            ConvLayer.read(w, l + 1, layer, out, out, 3, 1)));
        }
        int narrow = out / REDUCTION;
        return new Residual(
                shortcut,
                List.of(
                        ConvLayer.read(w, l + 0, layer, in, narrow, 1, halvesFirst ? stride : 1),
                        ConvLayer.read(w, l + 1, layer, narrow, narrow, 3, halvesFirst ? 1 : stride),
                        ConvLayer.read(w, l + 2, layer, narrow, out, 1, 1)));
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        Tensor stemmed = stem.apply(in.image(stem.convolution.in(), 1), activation, pass);
        long[] two = {2, 2};
        long[] one = {1, 1};
        Tensor h = pass.segment(() ->
                new Tensor[] {torch.max_pool2d(stemmed, new long[] {3, 3}, two, one, one, false)})[0];
        for (Residual layer : layers) {
            Tensor x = h;
            h = pass.layer(() -> layer.apply(x, activation, pass));
        }
        Tensor last = h;
        return pass.result(pass.segment(() -> {
            Tensor points = last.flatten(2, 3).transpose(1, 2);
            pass.context().setInputs(Tensors.ones(ScalarType.Long, points.size(0), points.size(1)));
            return new Tensor[] {points};
        })[0]);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(stem.convolution));
        for (Residual layer : layers) {
            if (layer.shortcut != null) {
                sites.add(layer.shortcut.convolution);
            }
            layer.convolutions.forEach(one -> sites.add(one.convolution));
        }
        return sites;
    }

    /** It has no heads, and no limit of length. */
    @Override
    public Size size() {
        return new Size(0, hidden, layers.size(), 0, Integer.MAX_VALUE);
    }

    /** Reads {@code model_type: resnet}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "resnet";
        }

        @Override
        public String prefix() {
            return "resnet.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS);
        }

        @Override
        public String classNamePrefix() {
            return "ResNet";
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            boolean classifies = spec.task() == Task.IMAGE_CLS;
            ResNet resNet = new ResNet(config, weights, classifies ? prefix() : "");
            return new Model(
                    resNet,
                    classifies
                            ? new Head.PerSequence(
                                    Head.Pooling.MEAN,
                                    null,
                                    0,
                                    weights.headLinear("classifier.1", spec.labels(), resNet.hidden, true, spec.seed()))
                            : new Head.NoHead(List.of()));
        }
    }
}
