package dev.graft.peft.methods.orthogonal;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * OFT, orthogonal finetuning (Qiu et al., 2023; input side: Qiu et al., 2025): {@code y = W Rᵀ x + b} with R block-diagonal and each block
 * {@code [b, b]} orthogonal, so that the angles between the rows of W stay. A block is computed from a skew-symmetric S by the first terms of
 * Neumann's series of {@code (I + S)(I - S)⁻¹}, or exactly as {@code (I - S)(I + S)⁻¹}. S starts at zero, so a new adapter changes nothing. With
 * {@code coft} S stays within a small norm of zero. On an embedding the rows are rotated, {@code e R}.
 *
 * <p>Trained: in · (b - 1) / 2 for a layer, with shared blocks b · (b - 1) / 2. Files: {@code <module>.oft_R.weight [in / b, b (b - 1) / 2]}, the
 * values above the diagonals, row by row; {@code oft_embedding_R.weight} on embeddings. Merges: W Rᵀ. Use it if the base's abilities must be
 * preserved. It preserves the norms of W's rows.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Oft.DEFAULT.withBlock(16), 42);
 * }</pre>
 *
 * @param blocks the number of blocks of a layer; 0 if {@code block} determines it
 * @param block b, or the nearest divisor of a layer's size; 0 if {@code blocks} determines it
 * @param dropout probability that a block is the identity in a training pass
 * @param coft whether S is kept near zero
 * @param eps with coft, the largest norm of a block's S times the root of the number of blocks
 * @param share whether all blocks of a layer are equal
 * @param neumann whether blocks are computed by the series; else exactly
 * @param terms the number of terms of the series
 * @param bias which of the base's biases are trained
 * @param startAtIdentity whether S starts at zero; else it is normal with standard deviation 0.1
 */
@RecordBuilder
public record Oft(
        int blocks,
        int block,
        double dropout,
        boolean coft,
        double eps,
        boolean share,
        boolean neumann,
        int terms,
        TargetModules targets,
        Bias bias,
        boolean startAtIdentity)
        implements Method, OftBuilder.With {
    /** Blocks of 32 for every linear layer but the head. */
    public static final Oft DEFAULT =
            new Oft(0, 32, 0, false, 6e-5, false, true, 5, TargetModules.ALL_LINEAR, Bias.NONE, true);

    private static final String LINEAR = "oft_R.weight";
    private static final String TABLE = "oft_embedding_R.weight";

    public Oft {
        if (blocks < 0 || block < 0 || (blocks == 0) == (block == 0)) {
            throw new InputException("r is " + blocks + " and oft_block_size is " + block
                    + ", expected one of them at least 1 and the other 0: their product is the size of a layer");
        }
        DropoutProbability.require("module_dropout", dropout);
        if (neumann && terms < 1) {
            throw new InputException("num_cayley_neumann_terms is " + terms + ", expected at least 1");
        }
        if (coft && !(eps > 0)) {
            throw new InputException("eps is " + eps + ", expected more than 0 with coft");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Site> sites = g.targets(targets);
        for (Site site : sites) {
            if (site instanceof Linear linear) {
                graft(g, site, LINEAR, linear.in());
            } else if (site instanceof Embedding table) {
                graft(g, site, TABLE, table.hidden());
            } else if (site instanceof Convolution kernels) {
                boolean points = isPoint(kernels);
                if (!points) {
                    requirePatches(kernels, g.isLoading());
                }
                graft(g, site, LINEAR, points ? kernels.in() : kernels.in() * area(kernels));
            }
        }
        bias.graft(g, sites);
    }

    /**
     * Returns whether every kernel is one point over all channels, so that they are rotated as a linear layer's inputs.
     */
    private static boolean isPoint(Convolution kernels) {
        return area(kernels) == 1 && kernels.geometry().groups() == 1;
    }

    private static long area(Convolution kernels) {
        return Arrays.stream(kernels.kernel()).reduce(1, (a, b) -> a * b);
    }

    /**
     * Rejects a larger kernel that PEFT's OFT doesn't support, and any larger kernel for a new adapter. There PEFT's
     * OFT changes the layer's output even with S = 0, so such adapters are only loaded.
     */
    private static void requirePatches(Convolution kernels, boolean loads) {
        long[] sizes = kernels.kernel();
        boolean square = sizes.length == 2 && sizes[0] == sizes[1];
        boolean dilated = kernels.geometry().dilation().stream().anyMatch(step -> step > 1);
        if (!square || dilated) {
            throw new InputException("target_modules: " + kernels.name() + " is a convolution with a kernel of "
                    + Arrays.toString(sizes) + (dilated ? ", dilated" : "")
                    + "; of larger kernels OFT knows square ones of two dimensions without dilation");
        }
        if (!loads) {
            throw new InputException(
                    "target_modules: " + kernels.name() + " is a convolution with a kernel of more than one point or"
                            + " in groups; there PEFT's OFT adds up overlapping patches,"
                            + " which changes what the layer gives before anything is"
                            + " trained, so such adapters are loaded but not made. BOFT"
                            + " rotates kernels");
        }
    }

    /** Returns the rule that clips S to its bound after each step, with coft. */
    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        if (!coft) {
            return TrainingRule.NONE;
        }
        return new TrainingRule() {
            @Override
            public void afterUpdate(long step, double learningRate) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    adapter.trainable().forEach((key, value) -> {
                        if (key.endsWith(LINEAR) || key.endsWith(TABLE)) {
                            value.copy_(bounded(value));
                        }
                    });
                }
            }
        };
    }

    private void graft(Grafter g, Site site, String suffix, long size) {
        int b = block > 0 ? divisor(size, block) : (int) (size / divisor(size, blocks));
        long all = size / b;
        Initializer initializer = startAtIdentity ? Initializer.ZEROS : Initializer.normal(0.1);
        Tensor above = g.parameter(site, suffix, initializer, share ? 1 : all, b * (b - 1L) / 2);
        if (coft) {
            g.export(site.name() + "." + suffix, () -> bounded(above));
        }
        CachedValue blocks = g.cached(() -> blocks(above, b, all));
        Rotation rotation =
                new Rotation(blocks, share ? 0 : dropout, site instanceof Embedding, site instanceof Convolution);
        boolean patches = site instanceof Convolution kernels && !isPoint(kernels);
        g.add(site, patches ? new Patches((Convolution) site, rotation) : rotation);
    }

    /** The nearest number to the wanted one that divides a size, the smaller of two as near. */
    private static int divisor(long size, int wanted) {
        if (wanted >= size) {
            return (int) size;
        }
        int above = wanted;
        while (size % above != 0) {
            above++;
        }
        int below = wanted;
        while (size % below != 0) {
            below--;
        }
        return wanted - below <= above - wanted ? below : above;
    }

    /** Returns the effective S: no longer than eps divided by the root of the number of blocks. */
    private Tensor bounded(Tensor above) {
        double most = eps / Math.sqrt(above.size(0));
        Tensor norm = Ops.scale(Ops.norm(above, 1, true), Math.sqrt(2));
        return above.mul(norm.reciprocal().mul(new Scalar(most)).clamp_max(new Scalar(1)));
    }

    /** R {@code [blocks, b, b]}. */
    private Tensor blocks(Tensor above, int b, long blocks) {
        Tensor used = above;
        if (coft) {
            // What leads out of the bound is cut off after each step rather than held back by the gradient.
            Tensor cut;
            try (NoGrad noGrad = new NoGrad()) {
                cut = bounded(above).sub(above);
            }
            used = above.add(cut);
        }
        Tensor skew = Cayley.skew(used, b);
        Tensor r = neumann ? Cayley.neumann(skew, terms) : Cayley.exact(skew);
        return share ? r.expand(blocks, b, b) : r;
    }

    /**
     * The effect on one layer.
     *
     * @param blocks R
     * @param dropout the probability that a block is left out
     * @param table whether the layer is an embedding
     * @param channels whether it is a convolution, whose inputs have their features in the second dimension
     */
    private record Rotation(CachedValue blocks, double dropout, boolean table, boolean channels)
            implements Effect.Reweight {
        private Tensor matrices(boolean training) {
            return Cayley.drop(blocks.value(), dropout, training);
        }

        @Override
        public Tensor weight(Tensor weight) {
            Tensor r = matrices(false);
            Tensor rows = Ops.to(weight, r.scalar_type()).flatten(1, -1);
            return Cayley.rotate(rows, table ? r : r.transpose(1, 2)).view(Tensors.shape(weight));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor r = matrices(pass.isTraining());
            if (table) {
                return rotate(inner.apply(x, pass), r);
            }
            return inner.apply(channels ? rotate(x.movedim(1, -1), r).movedim(-1, 1) : rotate(x, r), pass);
        }

        private static Tensor rotate(Tensor x, Tensor r) {
            return Ops.to(Cayley.rotate(Ops.to(x, r.scalar_type()), r), x.scalar_type());
        }
    }

    /**
     * The effect on a convolution with a larger kernel, as PEFT has it: the input is cut into patches of the kernel's size at every
     * position, each is rotated, and they are added up. PEFT takes their values {@code [in, positions, points]} for
     * {@code [in, points, positions]} there, so most land elsewhere, and so they must for an adapter that was trained like this. That is no
     * change of the kernels, so it doesn't merge.
     */
    private record Patches(Convolution layer, Rotation rotation) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor r = rotation.matrices(pass.isTraining());
            long[] kernel = layer.kernel();
            long[] ones = {1, 1};
            long[] none = {0, 0};
            Tensor wide = Ops.to(x, r.scalar_type());
            Tensor cut = torch.im2col(wide, kernel, ones, none, ones);
            Tensor turned = Cayley.rotate(cut.transpose(1, 2), r);
            Tensor taken = turned.view(x.size(0), cut.size(2), layer.in(), -1)
                    .transpose(1, 2)
                    .reshape(x.size(0), cut.size(1), -1);
            long[] size = {x.size(2), x.size(3)};
            Tensor joined = torch.col2im(taken, size, kernel, ones, none, ones);
            return layer.apply(Ops.to(joined.sub(wide), x.scalar_type()), layer.weight(), null);
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.put("r", blocks);
        json.put("oft_block_size", block);
        json.put("module_dropout", dropout);
        json.put("coft", coft);
        json.put("eps", eps);
        json.put("block_share", share);
        json.put("use_cayley_neumann", neumann);
        json.put("num_cayley_neumann_terms", terms);
        json.put("init_weights", startAtIdentity);
        json.put("fan_in_fan_out", false);
        bias.write(json, "oft_only");
    }

    /** Registers {@code oft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "oft";
        }

        @Override
        public String summary() {
            return "rotates the inputs of a layer in blocks";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "OFT";
        }

        @Override
        public List<String> required() {
            return List.of("oft_block_size");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Oft(
                    config.integer("r", 0, 0),
                    config.integer("oft_block_size", 32, 0),
                    config.number("module_dropout", 0),
                    config.bool("coft", false),
                    config.number("eps", 6e-5),
                    config.bool("block_share", false),
                    config.bool("use_cayley_neumann", true),
                    config.integer("num_cayley_neumann_terms", 5),
                    TargetModules.read(config),
                    Bias.read(config, "oft_only"),
                    config.bool("init_weights", true));
        }
    }
}
