package dev.graft.peft.methods;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Initial;
import dev.graft.peft.methods.LowRank.Start;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The initialisations of LoRA that PEFT has and that need no data. */
final class LoraInit {
    private LoraInit() {}

    /** A's start, where it doesn't depend on the base's weight. */
    static Initial a(LoraConfig.Init init, Linear site, int r) {
        return switch (init.name()) {
            case "gaussian" -> Initial.normal(1.0 / r);
            case "orthogonal" -> orthogonal(site, r, true);
            default -> Initial.KAIMING;
        };
    }

    /** B's start, where it doesn't depend on the base's weight. */
    static Initial b(LoraConfig.Init init, Linear site, int r) {
        return switch (init.name()) {
            case "false" -> Initial.KAIMING;
            case "orthogonal" -> orthogonal(site, r, false);
            default -> Initial.ZEROS;
        };
    }

    /**
     * A and B from the base's weight {@code W [out, in]}, or null where the initialisation doesn't use it: PiSSA (Meng et al., 2024)
     * takes the first r singular triplets, OLoRA (Büyükakyüz, 2024) the first columns and rows of QR, MiCA the last left singular
     * vectors for a B that stays as it is.
     */
    static @Nullable Start of(LoraConfig.Init init, Tensor weight, int r, double scaling) {
        boolean needsWeight = init.replacesBase() || init.name().equals("mica");
        if (!needsWeight) {
            return null;
        }
        long most = Math.min(weight.size(0), weight.size(1));
        if (r > most) {
            throw new InputException("init_lora_weights \"" + init.name() + "\" needs a rank of at most " + most
                    + " for a weight of shape [" + weight.size(0) + ", " + weight.size(1) + "], r is " + r);
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor w = Ops.to(weight.detach(), new Numerics(weight.scalar_type()).small());
            Start start = switch (init.name()) {
                case "olora" -> olora(w, r);
                case "mica" -> mica(w, r);
                default -> pissa(w, r, scaling);
            };
            return new Start(
                    scope.release(start.a().contiguous()),
                    scope.release(start.b().contiguous()));
        }
    }

    private static Start pissa(Tensor w, int r, double scaling) {
        T_TensorTensorTensor_T svd = torch.linalg_svd(w, false, new org.bytedeco.pytorch.StringViewOptional());
        Tensor root = Ops.scale(svd.get1().narrow(0, 0, r), 1 / scaling).sqrt();
        return new Start(
                svd.get2().narrow(0, 0, r).mul(root.unsqueeze(1)),
                svd.get0().narrow(1, 0, r).mul(root.unsqueeze(0)));
    }

    private static Start olora(Tensor w, int r) {
        T_TensorTensor_T qr = torch.linalg_qr(w);
        return new Start(qr.get1().narrow(0, 0, r), qr.get0().narrow(1, 0, r));
    }

    private static Start mica(Tensor w, int r) {
        Tensor u = torch.linalg_svd(w, false, new org.bytedeco.pytorch.StringViewOptional())
                .get0();
        return new Start(Tensors.zeros(w.scalar_type(), r, w.size(1)), u.narrow(1, u.size(1) - r, r));
    }

    /**
     * Disjoint parts of one random orthogonal basis, so that B A = 0 at the start while neither is zero: B from its even columns, A from
     * its odd rows ({@code orthogonal_init} in PEFT's {@code lora/layer.py}), each divided by 10.
     */
    private static Initial orthogonal(Linear site, int r, boolean wantsA) {
        if (r % 2 != 0) {
            throw new InputException("init_lora_weights \"orthogonal\" needs an even rank, r is " + r);
        }
        return (rng, shape) -> {
            Tensor basis = torch.linalg_qr(
                            Rng.of(0, site.name() + " orthogonal " + r).normal(0, 1, r, r))
                    .get0();
            Tensor half = wantsA ? every(basis, 1, r) : every(basis, 0, r);
            Tensor mix = Ops.to(rng.normal(0, 1, r / 2, wantsA ? shape[1] : shape[0]), ScalarType.Float);
            Tensor part = Ops.scale(half.t().matmul(mix), 0.1);
            return wantsA ? part : part.t();
        };
    }

    private static Tensor every(Tensor basis, int first, int r) {
        long[] rows = new long[r / 2];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = 2L * i + first;
        }
        return basis.index_select(0, Tensors.of(rows, rows.length));
    }
}
