package dev.graft.models.functions;

import dev.graft.formats.Fields;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.FusedOps;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The activations that architectures name in {@code hidden_act}. */
public enum Activation {
    GELU(FusedOps.GateFunction.GELU) {
        @Override
        public Tensor apply(Tensor x) {
            return torch.gelu(x);
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return torch.gelu_backward(gradient, x);
        }
    },
    /** GELU by its tanh approximation. */
    GELU_TANH {
        @Override
        public Tensor apply(Tensor x) {
            return torch.gelu(x, "tanh");
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return torch.gelu_backward(gradient, x, "tanh");
        }
    },
    /** {@code x · σ(1.702 x)}. */
    QUICK_GELU {
        @Override
        public Tensor apply(Tensor x) {
            return Ops.scale(x, SHARPNESS).sigmoid().mul(x);
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            Tensor gate = Ops.scale(x, SHARPNESS).sigmoid();
            Tensor slope = gate.mul(x).mul_(gate.neg().add_(new Scalar(1.0))).mul_(new Scalar(SHARPNESS));
            return slope.add_(gate).mul_(gradient);
        }
    },
    RELU {
        @Override
        public Tensor apply(Tensor x) {
            return x.relu();
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return gradient.mul(Ops.to(x.gt(new Scalar(0.0)), gradient.scalar_type()));
        }
    },
    /** {@code relu(x)²} (So et al., 2021). */
    RELU_SQUARED {
        @Override
        public Tensor apply(Tensor x) {
            return x.relu().square();
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return Ops.scale(x.relu(), 2).mul(gradient);
        }
    },
    /** ReLU with a slope of 0.01 below zero. */
    LEAKY_RELU {
        @Override
        public Tensor apply(Tensor x) {
            return torch.leaky_relu(x);
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return torch.where(x.gt(new Scalar(0.0)), gradient, Ops.scale(gradient, 0.01));
        }
    },
    SILU(FusedOps.GateFunction.SILU) {
        @Override
        public Tensor apply(Tensor x) {
            return torch.silu(x);
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            return torch.silu_backward(gradient, x);
        }
    },
    TANH {
        @Override
        public Tensor apply(Tensor x) {
            return x.tanh();
        }

        @Override
        Tensor gradient(Tensor x, Tensor gradient) {
            Tensor y = x.tanh();
            return gradient.sub(gradient.mul(y).mul_(y));
        }
    };

    private static final double SHARPNESS = 1.702;

    private final FusedOps.@Nullable GateFunction fused;

    Activation() {
        this(null);
    }

    Activation(FusedOps.@Nullable GateFunction fused) {
        this.fused = fused;
    }

    public abstract Tensor apply(Tensor x);

    /** Returns the gradient of x from that of {@code apply(x)}. */
    abstract Tensor gradient(Tensor x, Tensor gradient);

    /** Returns {@code apply(gate) ⊙ up}, or {@code apply(gate)} if up is null, without recording a gradient. */
    public Tensor gate(Tensor gate, @Nullable Tensor up) {
        Tensor once = fused == null ? null : FusedOps.gate(fused, gate, up);
        if (once != null) {
            return once;
        }
        Tensor active = apply(gate);
        return up == null ? active : active.mul_(up);
    }

    /**
     * Returns the gradients of gate and, if there is one, of up.
     *
     * @param dx the gradient of {@link #gate}'s result; it is overwritten
     */
    public Tensor[] gradients(Tensor gate, @Nullable Tensor up, Tensor dx) {
        Tensor[] once = fused == null ? null : FusedOps.gateBackward(fused, gate, up, dx);
        if (once != null) {
            return once;
        }
        if (up == null) {
            return new Tensor[] {gradient(gate, dx)};
        }
        Tensor dup = apply(gate).mul_(dx);
        return new Tensor[] {gradient(gate, dx.mul_(up)), dup};
    }

    /**
     * Reads the activation from a field of a config.json.
     *
     * @throws dev.graft.formats.FormatException for an unknown name
     */
    public static Activation read(Fields config, String field, String absent) {
        return named(config, field, config.string(field, absent));
    }

    /**
     * Returns the activation of that name; messages contain the field of config.json.
     *
     * @throws dev.graft.formats.FormatException for an unknown name
     */
    public static Activation named(Fields config, String field, String name) {
        return switch (name) {
            case "gelu" -> GELU;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> GELU_TANH;
            case "quick_gelu" -> QUICK_GELU;
            case "relu" -> RELU;
            case "relu2" -> RELU_SQUARED;
            case "silu", "swish" -> SILU;
            case "tanh" -> TANH;
            default ->
                throw config.invalid(
                        field,
                        "one of gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, relu, relu2, silu, swish,"
                                + " tanh");
        };
    }
}
