package dev.graft.peft.methods.orthogonal;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.Bias;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * BOFT, orthogonal finetuning by butterflies (Liu et al., 2023): {@code y = s ⊙ (W Rᵀ x) + b} with R a product of m factors, each block-diagonal
 * with orthogonal blocks {@code [b, b]} between two permutations, so sparse factors form a dense rotation. A block is {@code (I - S)(I + S)⁻¹}
 * with {@code S = (A - Aᵀ) / 2}. A starts at zero and s at one, so a new adapter changes nothing.
 *
 * <p>Trained: m · in · b + out for a layer. Files: {@code <module>.boft_R [m, in / b, b, b]}, {@code boft_s [out, 1]}. Merges: s ⊙ W Rᵀ. Use it
 * like {@link Oft} if independent blocks are too restrictive. With one factor it is OFT with a scale. On a convolution R acts on the patches that
 * a kernel sees, and {@code boft_s} is {@code [1, out]}. Not on embeddings.
 *
 * <p>Without its CUDA extension PEFT always uses one factor, and saves {@code boft_R} accordingly: the file's shape counts.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Boft.DEFAULT.withBlock(8).withFactors(2), 42);
 * }</pre>
 *
 * @param block b; 0 if {@code blocks} determines it
 * @param blocks the number of blocks of a factor; 0 if {@code block} determines it
 * @param factors m
 * @param dropout probability that a block is the identity in a training pass
 * @param bias which of the base's biases are trained
 * @param startAtIdentity whether A starts at zero and s at one; else both are normal around those, standard deviation 0.1
 */
@RecordBuilder
public record Boft(
        int block, int blocks, int factors, double dropout, TargetModules targets, Bias bias, boolean startAtIdentity)
        implements Method, BoftBuilder.With {
    /** Blocks of 4, one factor, every linear layer but the head. */
    public static final Boft DEFAULT = new Boft(4, 0, 1, 0, TargetModules.ALL_LINEAR, Bias.NONE, true);

    public Boft {
        if (blocks < 0 || block < 0 || (blocks == 0) == (block == 0)) {
            throw new InputException("boft_block_size is " + block + " and boft_block_num is " + blocks
                    + ", expected one of them at least 1 and the other 0: their product is the size of a layer");
        }
        if (factors < 1) {
            throw new InputException("boft_n_butterfly_factor is " + factors + ", expected at least 1");
        }
        DropoutProbability.require("boft_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Projection> sites = g.ungrouped(targets, "BOFT");
        for (Projection site : sites) {
            Convolution kernels = site instanceof Convolution convolution ? convolution : null;
            int in = (int) site.weight().flatten(1, -1).size(1);
            long[] stored = g.storedShape(site, "boft_R");
            int m = stored != null && stored.length == 4 && stored[0] == 1 ? 1 : factors;
            int b = blockOf(site.name(), in, m);
            int n = in / b;
            Tensor a = g.parameter(
                    site, "boft_R", startAtIdentity ? Initializer.ZEROS : Initializer.normal(0.1), m, n, b, b);
            Tensor scale = g.parameter(
                    site,
                    "boft_s",
                    startAtIdentity ? Initializer.ONES : (rng, shape) -> rng.normal(1, 0.1, shape),
                    kernels == null ? site.out() : 1,
                    kernels == null ? 1 : site.out());
            g.add(
                    site,
                    new Butterfly(g.cached(() -> Butterfly.blocks(a)), scale, permutations(m, n, b), dropout, kernels));
        }
        bias.graft(g, sites);
    }

    private int blockOf(String site, int in, int m) {
        int given = block > 0 ? block : blocks;
        int b = block > 0 ? block : in / blocks;
        int n = in / Math.max(1, b);
        boolean whole = given <= in && in % given == 0;
        boolean butterfly = m == 1 || b % 2 == 0 && n % (1 << (m - 1)) == 0;
        if (!whole || !butterfly) {
            throw new InputException((block > 0 ? "boft_block_size " + block : "boft_block_num " + blocks) + " with "
                    + m
                    + " factors doesn't fit the " + in + " inputs of " + site + ": "
                    + (whole
                            ? "blocks must have an even size and their number must be a multiple of " + (1 << (m - 1))
                            : "it must divide them"));
        }
        return b;
    }

    /** Returns for each factor the input at each place before the blocks. */
    static List<Permutation> permutations(int m, int n, int b) {
        List<Permutation> all = new ArrayList<>();
        if (m == 1) {
            return all;
        }
        int half = b / 2;
        for (int i = 0; i < m; i++) {
            // A stretch of the inputs: its even halves of blocks come before its odd ones.
            int pieces = (b << i) / half;
            long[] to = new long[n * b];
            long[] from = new long[n * b];
            for (int place = 0; place < to.length; place++) {
                int piece = place / half % pieces;
                int even = (pieces + 1) / 2;
                int taken = piece < even ? 2 * piece : 2 * (piece - even) + 1;
                int source = place - place % (b << i) + taken * half + place % half;
                to[place] = source;
                from[source] = place;
            }
            try (Scope scope = new Scope()) {
                all.add(new Permutation(
                        scope.release(Tensors.of(to, to.length)), scope.release(Tensors.of(from, from.length))));
            }
        }
        return all;
    }

    /** {@code P x = x[to]}, and its inverse. */
    record Permutation(Tensor to, Tensor from) {}

    /**
     * The effect on one layer.
     *
     * @param factors the blocks of R₁ … Rₘ, {@code [m, n, b, b]}
     * @param order of each factor; empty for one factor, which needs none
     * @param kernels the convolution, whose patches of inputs are rotated; null for a linear layer
     */
    record Butterfly(
            CachedValue factors,
            Tensor scale,
            List<Permutation> order,
            double dropout,
            @Nullable Convolution kernels) implements Effect.Reweight {
        /** @param a {@code [m, n, b, b]}, made skew */
        static Tensor blocks(Tensor a) {
            return Cayley.exact(Ops.scale(a.sub(a.transpose(2, 3)), 0.5));
        }

        private Tensor matrices(boolean training) {
            return Cayley.drop(factors.value(), dropout, training);
        }

        /** {@code x R} for {@code R = Rₘ … R₂ R₁}. */
        private Tensor rotate(Tensor x, Tensor factors) {
            Tensor y = x;
            long last = y.dim() - 1;
            for (int i = (int) factors.size(0) - 1; i >= 0; i--) {
                Tensor blocks = factors.select(0, i);
                if (order.isEmpty()) {
                    y = Cayley.rotate(y, blocks);
                } else {
                    Permutation p = order.get(i);
                    y = Cayley.rotate(y.index_select(last, p.from), blocks).index_select(last, p.to);
                }
            }
            return y;
        }

        /** {@code x Rᵀ}. */
        private Tensor rotateBack(Tensor x, Tensor factors) {
            Tensor y = x;
            for (int i = 0; i < factors.size(0); i++) {
                Tensor blocks = factors.select(0, i).transpose(1, 2);
                if (order.isEmpty()) {
                    y = Cayley.rotate(y, blocks);
                } else {
                    Permutation p = order.get(i);
                    y = Cayley.rotate(y.index_select(1, p.from), blocks).index_select(1, p.to);
                }
            }
            return y;
        }

        @Override
        public Tensor weight(Tensor weight) {
            return changed(weight, false);
        }

        private Tensor changed(Tensor weight, boolean training) {
            Tensor rows = Ops.to(weight, scale.scalar_type()).flatten(1, -1);
            return rotateBack(rows, matrices(training)).mul(scale.view(-1, 1)).view(Tensors.shape(weight));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            if (kernels != null) {
                Tensor bias = inner.bias();
                Tensor y = kernels.apply(
                        x,
                        changed(inner.weight(), pass.isTraining()),
                        bias == null ? null : Ops.to(bias, scale.scalar_type()));
                return Ops.to(y, inner.weight().scalar_type());
            }
            Tensor rotated = rotate(Ops.to(x, scale.scalar_type()), matrices(pass.isTraining()));
            Tensor y = inner.apply(Ops.to(rotated, x.scalar_type()), pass);
            Tensor factor = Ops.to(scale.view(-1), y.scalar_type());
            Tensor bias = inner.bias();
            return bias == null ? y.mul(factor) : y.sub(bias).mul(factor).add(bias);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.put("boft_block_size", block);
        json.put("boft_block_num", blocks);
        json.put("boft_n_butterfly_factor", factors);
        json.put("boft_dropout", dropout);
        json.put("init_weights", startAtIdentity);
        json.put("fan_in_fan_out", false);
        bias.write(json, "boft_only");
    }

    /** Registers {@code boft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "boft";
        }

        @Override
        public String summary() {
            return "rotates the inputs of a layer by a product of sparse rotations, and scales its outputs";
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
            return "BOFT";
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Boft(
                    config.integer("boft_block_size", 4, 0),
                    config.integer("boft_block_num", 0, 0),
                    config.integer("boft_n_butterfly_factor", 1, 1),
                    config.number("boft_dropout", 0),
                    TargetModules.read(config),
                    Bias.read(config, "boft_only"),
                    config.bool("init_weights", true));
        }
    }
}
