package dev.graft.run.inspect;

import dev.graft.models.Base;
import dev.graft.models.matrices.DenseMatrix;
import dev.graft.models.matrices.QuantizedMatrix;
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
 * A site of a model, as a row of a table.
 *
 * @param kind {@code linear}, {@code embedding}, …
 * @param role the role of a linear layer, else the part that can be adapted
 * @param shape the shape of its tensor; empty for a site without a tensor
 * @param parameters the number of its own parameters: a tied matrix counts where it first appears
 */
public record ModuleSummary(String name, int layer, String kind, String role, String shape, long parameters) {

    public static List<ModuleSummary> of(Base base) {
        Set<Tensor> seen = new HashSet<>();
        List<ModuleSummary> modules = new ArrayList<>();
        for (Site site : base.sites()) {
            modules.add(of(site, seen));
        }
        return modules;
    }

    private static ModuleSummary of(Site site, Set<Tensor> seen) {
        String kind = site.getClass().getSimpleName().toLowerCase(Locale.ROOT);
        if (site instanceof Linear linear) {
            boolean tied = linear.matrix() instanceof DenseMatrix whole && seen.contains(whole.values());
            return new ModuleSummary(
                    site.name(),
                    site.layer(),
                    kind,
                    linear.role().name().toLowerCase(Locale.ROOT) + (tied ? ", tied" : ""),
                    "[" + linear.out() + ", " + linear.in() + "]"
                            + (linear.matrix() instanceof QuantizedMatrix matrix ? " " + matrix.kind() : "")
                            + (linear.bias() == null ? "" : " + bias"),
                    linear.matrix() instanceof DenseMatrix whole
                            ? count(seen, whole.values(), linear.bias())
                            : linear.in() * linear.out() + count(seen, null, linear.bias()));
        } else if (site instanceof Convolution convolution) {
            return new ModuleSummary(
                    site.name(),
                    site.layer(),
                    kind,
                    convolution.role().name().toLowerCase(Locale.ROOT),
                    Arrays.toString(Tensors.shape(convolution.weight()))
                            + (convolution.bias() == null ? "" : " + bias"),
                    count(seen, convolution.weight(), convolution.bias()));
        } else if (site instanceof Embedding embedding) {
            return new ModuleSummary(
                    site.name(),
                    site.layer(),
                    kind,
                    embedding.input() ? "token embedding" : "embedding",
                    "[" + embedding.rows() + ", " + embedding.hidden() + "]",
                    count(seen, embedding.weight(), null));
        } else if (site instanceof Norm norm) {
            return new ModuleSummary(
                    site.name(),
                    site.layer(),
                    kind,
                    norm.kind() == Norm.Kind.RMS ? "rms norm" : "layer norm",
                    "[" + norm.weight().size(0) + "]" + (norm.bias() == null ? "" : " + bias"),
                    count(seen, norm.weight(), norm.bias()));
        } else if (site instanceof Attention attention) {
            String heads = attention.heads() + " x " + attention.headDim();
            return new ModuleSummary(site.name(), site.layer(), kind, "keys and values", heads, 0);
        } else if (site instanceof Block block) {
            return new ModuleSummary(
                    site.name(), site.layer(), kind, "block output", Integer.toString(block.hidden()), 0);
        } else if (site instanceof Stream stream) {
            return new ModuleSummary(
                    site.name(), site.layer(), kind, "input of the layers", Integer.toString(stream.hidden()), 0);
        }
        return new ModuleSummary(
                site.name(), site.layer(), kind, "layer output", Integer.toString(((Layer) site).hidden()), 0);
    }

    private static long count(Set<Tensor> seen, @Nullable Tensor weight, @Nullable Tensor bias) {
        return count(seen, weight) + count(seen, bias);
    }

    private static long count(Set<Tensor> seen, @Nullable Tensor parameter) {
        return parameter != null && seen.add(parameter) ? parameter.numel() : 0;
    }

    /** Returns the name within its layer, such as {@code self_attn.q_proj}; empty for the layer itself. */
    public String inLayer() {
        String index = "." + layer;
        int at = (name + ".").indexOf(index + ".");
        return at < 0 ? name : name.substring(Math.min(name.length(), at + index.length() + 1));
    }

    /** Returns the name of its layer, such as {@code model.layers.3}. */
    public String ofLayer() {
        String rest = inLayer();
        return rest.isEmpty() ? name : name.substring(0, Math.max(0, name.length() - rest.length() - 1));
    }

    /** Returns whether another site differs only in its layer. */
    public boolean hasSameShape(ModuleSummary other) {
        return inLayer().equals(other.inLayer())
                && kind.equals(other.kind)
                && role.equals(other.role)
                && shape.equals(other.shape)
                && parameters == other.parameters;
    }
}
