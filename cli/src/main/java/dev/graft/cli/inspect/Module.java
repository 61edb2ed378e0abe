package dev.graft.cli.inspect;

import dev.graft.models.Base;
import dev.graft.models.matrices.Dense;
import dev.graft.models.matrices.Quantized;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A site as a row of a table.
 *
 * @param kind {@code linear}, {@code embedding}, …
 * @param role of a linear layer, else what is there to adapt
 * @param shape in the usual notation; empty where the site has no tensor
 * @param parameters how many numbers are its own: a tied matrix counts where it first appears
 */
record Module(String name, int layer, String kind, String role, String shape, long parameters) {

    static List<Module> of(Base base) {
        Set<Tensor> seen = new HashSet<>();
        List<Module> modules = new ArrayList<>();
        for (Site site : base.sites()) {
            modules.add(of(site, seen));
        }
        return modules;
    }

    private static Module of(Site site, Set<Tensor> seen) {
        String kind = site.getClass().getSimpleName().toLowerCase(Locale.ROOT);
        if (site instanceof Linear linear) {
            boolean tied = linear.matrix() instanceof Dense whole && seen.contains(whole.values());
            return new Module(
                    site.name(),
                    site.layer(),
                    kind,
                    linear.role().name().toLowerCase(Locale.ROOT) + (tied ? ", tied" : ""),
                    "[" + linear.out() + ", " + linear.in() + "]"
                            + (linear.matrix() instanceof Quantized matrix ? " " + matrix.kind() : "")
                            + (linear.bias() == null ? "" : " + bias"),
                    linear.matrix() instanceof Dense whole
                            ? count(seen, whole.values(), linear.bias())
                            : linear.in() * linear.out() + count(seen, null, linear.bias()));
        } else if (site instanceof Convolution convolution) {
            return new Module(
                    site.name(),
                    site.layer(),
                    kind,
                    convolution.role().name().toLowerCase(Locale.ROOT),
                    Arrays.toString(Tensors.shape(convolution.weight()))
                            + (convolution.bias() == null ? "" : " + bias"),
                    count(seen, convolution.weight(), convolution.bias()));
        } else if (site instanceof Embedding embedding) {
            return new Module(
                    site.name(),
                    site.layer(),
                    kind,
                    embedding.input() ? "token embedding" : "embedding",
                    "[" + embedding.rows() + ", " + embedding.hidden() + "]",
                    count(seen, embedding.weight(), null));
        } else if (site instanceof Norm norm) {
            return new Module(
                    site.name(),
                    site.layer(),
                    kind,
                    norm.kind() == Norm.Kind.RMS ? "rms norm" : "layer norm",
                    "[" + norm.weight().size(0) + "]" + (norm.bias() == null ? "" : " + bias"),
                    count(seen, norm.weight(), norm.bias()));
        } else if (site instanceof Attention attention) {
            String heads = attention.heads() + " x " + attention.headDim();
            return new Module(site.name(), site.layer(), kind, "keys and values", heads, 0);
        } else if (site instanceof Block block) {
            return new Module(site.name(), site.layer(), kind, "block output", Integer.toString(block.hidden()), 0);
        } else if (site instanceof Stream stream) {
            return new Module(
                    site.name(), site.layer(), kind, "input of the layers", Integer.toString(stream.hidden()), 0);
        }
        return new Module(
                site.name(), site.layer(), kind, "layer output", Integer.toString(((Layer) site).hidden()), 0);
    }

    private static long count(Set<Tensor> seen, @Nullable Tensor weight, @Nullable Tensor bias) {
        return count(seen, weight) + count(seen, bias);
    }

    private static long count(Set<Tensor> seen, @Nullable Tensor parameter) {
        return parameter != null && seen.add(parameter) ? parameter.numel() : 0;
    }

    /** The name after that of its layer: {@code self_attn.q_proj}; empty for the layer itself. */
    String inLayer() {
        String index = "." + layer;
        int at = (name + ".").indexOf(index + ".");
        return at < 0 ? name : name.substring(Math.min(name.length(), at + index.length() + 1));
    }

    /** The name of its layer: {@code model.layers.3}. */
    String ofLayer() {
        String rest = inLayer();
        return rest.isEmpty() ? name : name.substring(0, Math.max(0, name.length() - rest.length() - 1));
    }

    /** Whether the two differ only in the layer that they are in. */
    boolean isLike(Module other) {
        return inLayer().equals(other.inLayer())
                && kind.equals(other.kind)
                && role.equals(other.role)
                && shape.equals(other.shape)
                && parameters == other.parameters;
    }
}
