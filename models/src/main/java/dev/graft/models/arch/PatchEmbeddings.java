package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Role;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The input of an image encoder: learned tokens, then the patches that a convolution cuts from an image, with learned
 * positions.
 *
 * @param tokens the tokens before the patches, each {@code [1, 1, hidden]}
 * @param positions {@code [1, tokens + side · side, hidden]}
 * @param image the side of the images in the training of the positions
 * @param interpolates whether images of other sizes are accepted, with interpolated positions
 */
record PatchEmbeddings(
        Convolution patches, List<Tensor> tokens, Tensor positions, int image, int patch, boolean interpolates) {

    /**
     * Reads the embeddings of ViT and similar models.
     *
     * @param prefix the embeddings' module, with a trailing dot
     */
    static PatchEmbeddings read(
            Fields f, Weights w, String prefix, int hidden, List<String> tokens, int usualPatch, boolean interpolates) {
        int image = f.integer("image_size", 224);
        int patch = patch(f, image, usualPatch);
        String name = prefix + "patch_embeddings.projection";
        ScalarType small = w.numerics().small();
        Convolution patches = convolution(f, w, name, hidden, patch, w.bias(name + ".bias", hidden));
        List<Tensor> before = new ArrayList<>();
        for (String token : tokens) {
            before.add(w.get(prefix + token, small, 1, 1, hidden));
        }
        long side = image / patch;
        return new PatchEmbeddings(
                patches,
                before,
                w.get(prefix + "position_embeddings", small, 1, side * side + tokens.size(), hidden),
                image,
                patch,
                interpolates);
    }

    static int patch(Fields f, int image, int usual) {
        int patch = f.integer("patch_size", usual);
        if (patch < 1 || image % patch != 0) {
            throw f.invalid("patch_size", "a divisor of image_size " + image);
        }
        return patch;
    }

    static Convolution convolution(Fields f, Weights w, String name, int hidden, int patch, @Nullable Tensor bias) {
        return new Convolution(
                name,
                Role.PATCH,
                -1,
                w.kernels(name + ".weight", hidden, f.integer("num_channels", 3), patch, patch),
                bias,
                Convolution.Geometry.patches(2, patch));
    }

    /** Returns the longest sequence with learned positions. */
    int length() {
        return (int) positions.size(1);
    }

    /**
     * Computes the input of the first layer, {@code [images, tokens + patches, hidden]}, and sets the visible positions
     * of the pass.
     */
    Tensor rows(Inputs in, ScalarType small, double dropout, ForwardPass pass) {
        Tensor pixels = interpolates ? in.image(patches.in(), patch) : in.image(patches.in(), image, image);
        Tensor cut = LayerOps.convolution(pass, patches, pixels);
        return pass.segment(() -> {
            Tensor rows = Ops.to(cut.flatten(2, 3).transpose(1, 2), small);
            Tensor[] all = new Tensor[tokens.size() + 1];
            for (int i = 0; i < tokens.size(); i++) {
                all[i] = tokens.get(i).expand(rows.size(0), 1, rows.size(2));
            }
            all[tokens.size()] = rows;
            Tensor entering = Ops.cat(1, all);
            pass.context().setInputs(Tensors.ones(ScalarType.Long, entering.size(0), entering.size(1)));
            Tensor placed = entering.add(positions(cut.size(2), cut.size(3)));
            return new Tensor[] {Dropout.apply(placed, dropout, pass.isTraining())};
        })[0];
    }

    /** Returns the positions of a grid of patches, by bicubic interpolation if it differs from the learned one. */
    private Tensor positions(long height, long width) {
        long side = image / patch;
        if (height == side && width == side) {
            return positions;
        }
        int before = tokens.size();
        Tensor grid = positions
                .narrow(1, before, side * side)
                .view(1, side, side, positions.size(2))
                .permute(0, 3, 1, 2);
        Tensor other = torch.upsample_bicubic2d(grid, new long[] {height, width}, false)
                .flatten(2, 3)
                .transpose(1, 2);
        return Ops.cat(1, positions.narrow(1, 0, before), other);
    }
}
