package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Pass;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Projection;
import dev.graft.peft.ByModule;
import dev.graft.peft.Targets;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings that LoHa and LoKr share, as in LyCORIS and PEFT.
 *
 * @param r rank
 * @param alpha scaling numerator: the update is scaled by alpha / r
 * @param rankDropout probability that a row of ΔW, that is an output of the update, is dropped in training
 * @param moduleDropout probability that a module's whole update is left out of a training pass
 * @param effectiveConv whether a convolution's update is decomposed along its kernel too (FedPara's proposition 3); means nothing on
 *     linear layers
 */
public record Lycoris(
        ByModule<Integer> r,
        ByModule<Double> alpha,
        double rankDropout,
        double moduleDropout,
        boolean effectiveConv,
        Targets targets) {
    /** Rank 8, alpha 8, every linear layer but the head. */
    public static final Lycoris DEFAULT =
            new Lycoris(ByModule.of(8), ByModule.of(8.0), 0, 0, false, Targets.ALL_LINEAR);

    public Lycoris {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        Probability.require("rank_dropout", rankDropout);
        Probability.require("module_dropout", moduleDropout);
    }

    public Lycoris withRank(int newR, double newAlpha) {
        return new Lycoris(
                ByModule.of(newR), ByModule.of(newAlpha), rankDropout, moduleDropout, effectiveConv, targets);
    }

    public Lycoris withDropout(double newRankDropout, double newModuleDropout) {
        return new Lycoris(r, alpha, newRankDropout, newModuleDropout, effectiveConv, targets);
    }

    public Lycoris withTargets(Targets newTargets) {
        return new Lycoris(r, alpha, rankDropout, moduleDropout, effectiveConv, newTargets);
    }

    /** What the update at a module is multiplied by. */
    double scaling(String module) {
        return alpha.at(module) / r.at(module);
    }

    /**
     * An update's answer with outputs, or all of it, dropped in training.
     *
     * @param rescales whether what is left of the outputs is scaled up, so that their mean stays
     */
    Tensor drop(Tensor y, Projection site, Pass pass, boolean rescales) {
        Tensor result = y;
        if (pass.isTraining() && rankDropout > 0) {
            Tensor kept = kept(y.scalar_type(), rankDropout, site.out());
            // With nothing left PEFT divides by zero.
            Tensor factors = rescales ? kept.div(kept.mean().clamp_min(new Scalar(1e-6))) : kept;
            result = y.mul(site.onFeatures(factors));
        }
        return pass.isTraining() && moduleDropout > 0 ? result.mul(kept(y.scalar_type(), moduleDropout, 1)) : result;
    }

    /** Whether a layer's update has a core {@code [r, r, kernel...]} between its factors of channels. */
    boolean hasCore(Projection site) {
        return effectiveConv && site instanceof Convolution kernels && Tensors.count(kernels.kernel()) > 1;
    }

    /** The shape of that core; PEFT gives that of a kernel over one dimension another of size 1. */
    static long[] core(Projection site, long r) {
        long[] kernel = ((Convolution) site).kernel();
        long[] shape = new long[Math.max(4, kernel.length + 2)];
        Arrays.fill(shape, 1);
        shape[0] = r;
        shape[1] = r;
        System.arraycopy(kernel, 0, shape, 2, kernel.length);
        return shape;
    }

    /**
     * What a core makes of its two factors, kernel by kernel.
     *
     * @param out {@code [r, out]}
     * @param in {@code [r, in]}
     * @return {@code [out, in, points of the kernel]}
     */
    static Tensor kernels(Tensor core, Tensor out, Tensor in) {
        long r = core.size(0);
        Tensor half = out.t().matmul(core.reshape(r, -1)).reshape(out.size(1), r, -1);
        return half.transpose(1, 2).matmul(in).transpose(1, 2);
    }

    /** 0 with probability p, else 1. */
    private static Tensor kept(ScalarType type, double p, long count) {
        return Ops.to(Dropout.mask(type, p, count).ne(new Scalar(0)), type);
    }

    static Lycoris read(Fields f) {
        return new Lycoris(
                ByModule.integers(f, "r", 8, 1, "rank_pattern"),
                ByModule.numbers(f, "alpha", 8, "alpha_pattern"),
                f.number("rank_dropout", 0),
                f.number("module_dropout", 0),
                f.bool("use_effective_conv2d", false),
                Targets.read(f));
    }

    void write(ObjectNode c) {
        r.write(c, "r", "rank_pattern");
        alpha.write(c, "alpha", "alpha_pattern");
        c.put("rank_dropout", rankDropout);
        c.put("module_dropout", moduleDropout);
        c.put("use_effective_conv2d", effectiveConv);
        targets.write(c);
    }
}
