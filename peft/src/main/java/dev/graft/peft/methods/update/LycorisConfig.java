package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
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
 * @param moduleDropout probability that a module's whole update is skipped in a training pass
 * @param effectiveConv whether a convolution's update is decomposed along its kernel too (FedPara's proposition 3); no effect on linear layers
 */
@RecordBuilder
public record LycorisConfig(
        PatternValue<Integer> r,
        PatternValue<Double> alpha,
        double rankDropout,
        double moduleDropout,
        boolean effectiveConv,
        TargetModules targets)
        implements LycorisConfigBuilder.With {
    /** Rank 8, alpha 8, every linear layer but the head. */
    public static final LycorisConfig DEFAULT =
            new LycorisConfig(PatternValue.of(8), PatternValue.of(8.0), 0, 0, false, TargetModules.ALL_LINEAR);

    public LycorisConfig {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        DropoutProbability.require("rank_dropout", rankDropout);
        DropoutProbability.require("module_dropout", moduleDropout);
    }

    /** Returns a copy with this rank for every module. */
    public LycorisConfig withR(int rank) {
        return withR(PatternValue.of(rank));
    }

    /** Returns a copy with this alpha for every module. */
    public LycorisConfig withAlpha(double value) {
        return withAlpha(PatternValue.of(value));
    }

    /** Returns the factor of the update at a module. */
    double scaling(String module) {
        return alpha.at(module) / r.at(module);
    }

    /**
     * Applies the dropout of outputs, or of the whole update, in training.
     *
     * @param rescales whether kept outputs are scaled up, so that their mean stays
     */
    Tensor drop(Tensor y, Projection site, PassView pass, boolean rescales) {
        Tensor result = y;
        if (pass.isTraining() && rankDropout > 0) {
            Tensor kept = kept(y.scalar_type(), rankDropout, site.out());
            // With nothing left PEFT divides by zero.
            Tensor factors = rescales ? kept.div(kept.mean().clamp_min(new Scalar(1e-6))) : kept;
            result = y.mul(site.onFeatures(factors));
        }
        return pass.isTraining() && moduleDropout > 0 ? result.mul(kept(y.scalar_type(), moduleDropout, 1)) : result;
    }

    /** Returns whether a layer's update has a core {@code [r, r, kernel...]} between its factors of channels. */
    boolean hasCore(Projection site) {
        return effectiveConv && site instanceof Convolution kernels && Tensors.count(kernels.kernel()) > 1;
    }

    /** Returns the shape of that core. For a kernel over one dimension PEFT's has another of size 1. */
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
     * Returns the product of a core and its two factors, kernel by kernel.
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

    static LycorisConfig read(Fields f) {
        return new LycorisConfig(
                PatternValue.readIntegers(f, "r", 8, 1, "rank_pattern"),
                PatternValue.readNumbers(f, "alpha", 8, "alpha_pattern"),
                f.number("rank_dropout", 0),
                f.number("module_dropout", 0),
                f.bool("use_effective_conv2d", false),
                TargetModules.read(f));
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
