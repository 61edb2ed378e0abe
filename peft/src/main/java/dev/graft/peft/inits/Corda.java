package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.peft.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import tools.jackson.databind.node.ObjectNode;

/**
 * CorDA (Yang et al., 2024). C is the mean of {@code x xᵀ} over the layer's inputs, scaled to a mean diagonal of 1, plus a hundredth of the
 * identity. (PEFT scales to a largest input of 1, which moves a factor between A and B.) With {@code W C = U S V}, A and B are r triplets of
 * {@code U S (V C⁻¹)}, which equals W. {@code ipm} takes the first ones, for the task of the data; {@code kpm} takes the last ones, to preserve
 * the knowledge in the data. Their product is subtracted from the base.
 *
 * @param first whether the first triplets are used: {@code ipm}
 */
public record Corda(boolean first) implements LoraInit {
    /** Instruction-previewed: {@code ipm}. */
    public static final Corda DEFAULT = new Corda(true);

    static Corda read(Fields f) {
        for (String file : new String[] {"cache_file", "covariance_file"}) {
            if (f.stringOrNull(file) != null) {
                throw f.invalid(file, "null: it is a pickle of PEFT's; calibration batches are read instead");
            }
        }
        if (f.bool("use_float16_for_covariance", false)) {
            throw f.invalid("use_float16_for_covariance", "false: it is computed in fp64");
        }
        f.bool("verbose", false);
        f.bool("prune_temporary_fields", true);
        return new Corda(f.choice("corda_method", "ipm", "ipm", "kpm").equals("ipm"));
    }

    @Override
    public void write(ObjectNode config) {
        ObjectNode c = config.putObject("corda_config");
        c.putNull("cache_file");
        c.putNull("covariance_file");
        c.put("corda_method", first ? "ipm" : "kpm");
        c.put("verbose", false);
        c.put("use_float16_for_covariance", false);
        c.put("prune_temporary_fields", true);
    }

    @Override
    public String name() {
        return "corda";
    }

    @Override
    public Offset offset() {
        return Offset.OF_DATA;
    }

    @Override
    public boolean needsData() {
        return true;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), r);
        Tensor moment = context.requireStatistics(name()).secondMoment(context.site());
        Tensor c = moment.div(moment.diag().mean());
        Tensor one = torch.eye(c.size(0)).to(c.scalar_type());
        for (double damp = 0.01; damp < 1e6; damp *= 2) {
            Tensor damped = Ops.addScaled(c, one, damp);
            Tensor inverse = torch.linalg_inv(damped);
            // As PEFT does: more is added until the inverse is one.
            if (Tensors.item(damped.matmul(inverse).sub(one).norm()) < 0.05) {
                Svd svd = Svd.of(Ops.to(context.weight(), c.scalar_type()).matmul(damped));
                Svd chosen = svd.narrow(first ? 0 : svd.s().size(0) - r, r);
                return new Svd(
                                chosen.u(),
                                chosen.s().clamp_min(new Scalar(0.0)),
                                chosen.v().matmul(inverse))
                        .factors(context.scaling());
            }
        }
        throw new InputException("corda: the inputs of " + context.site().name()
                + " in the calibration batches are too few or too alike; give more");
    }
}
