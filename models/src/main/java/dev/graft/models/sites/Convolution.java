package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A frozen convolution over one, two or three dimensions of x {@code [batch, in, size...]}.
 *
 * @param weight {@code [out, in / groups, kernel...]}
 * @param bias {@code [out]} or null
 */
public record Convolution(
        String name,
        Role role,
        int layer,
        Tensor weight,
        @Nullable Tensor bias,
        Geometry geometry) implements Projection {
    /**
     * The movement of the kernel; one number for each dimension.
     *
     * @param groups the number of channel groups, each seen by its own part of the kernels
     */
    public record Geometry(List<Long> stride, List<Long> padding, List<Long> dilation, int groups) {
        public Geometry {
            stride = List.copyOf(stride);
            padding = List.copyOf(padding);
            dilation = List.copyOf(dilation);
        }

        /** Returns the movement that applies every kernel at every position, without a border. */
        public static Geometry unit(int dimensions, int groups) {
            List<Long> ones = Collections.nCopies(dimensions, 1L);
            return new Geometry(ones, Collections.nCopies(dimensions, 0L), ones, groups);
        }

        /** Returns the movement that cuts an image into patches, with adjacent kernels. */
        public static Geometry patches(int dimensions, long size) {
            return new Geometry(
                    Collections.nCopies(dimensions, size),
                    Collections.nCopies(dimensions, 0L),
                    Collections.nCopies(dimensions, 1L),
                    1);
        }

        /** Returns this movement with every kernel seeing all channels. */
        public Geometry ungrouped() {
            return new Geometry(stride, padding, dilation, 1);
        }

        /** Convolves x with kernels {@code [out, in / groups, kernel...]}. */
        public Tensor apply(Tensor x, Tensor kernels, @Nullable Tensor bias) {
            return Ops.convolution(
                    Ops.to(x, kernels.scalar_type()),
                    kernels,
                    bias,
                    array(stride),
                    array(padding),
                    array(dilation),
                    groups);
        }

        private static long[] array(List<Long> values) {
            return values.stream().mapToLong(Long::longValue).toArray();
        }
    }

    @Override
    public long in() {
        return weight.size(1) * geometry.groups;
    }

    @Override
    public long out() {
        return weight.size(0);
    }

    /** The sizes of the kernel. */
    public long[] kernel() {
        long[] shape = Tensors.shape(weight);
        return Arrays.copyOfRange(shape, 2, shape.length);
    }

    /** Returns a shape of as many dimensions as the weight's: these sizes, then ones. */
    public long[] shape(long... sizes) {
        long[] shape = new long[(int) weight.dim()];
        Arrays.fill(shape, 1);
        System.arraycopy(sizes, 0, shape, 0, sizes.length);
        return shape;
    }

    @Override
    public Tensor apply(Tensor x, Tensor newWeight, @Nullable Tensor newBias) {
        return geometry.apply(x, newWeight, newBias);
    }

    @Override
    public Tensor onFeatures(Tensor vector) {
        return vector.reshape(shape(1, vector.numel()));
    }

    @Override
    public Tensor onRows(Tensor vector) {
        return vector.reshape(shape(vector.numel()));
    }

    @Override
    public Tensor onColumns(Tensor vector) {
        long groups = geometry.groups;
        return vector.reshape(groups, 1, in() / groups)
                .expand(groups, out() / groups, in() / groups)
                .reshape(shape(out(), in() / groups));
    }
}
