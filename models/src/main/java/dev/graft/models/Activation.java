package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The activations that architectures name in {@code hidden_act}. */
public enum Activation {
    GELU {
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
    SILU {
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

    public abstract Tensor apply(Tensor x);

    /** The gradient of x from that of {@code apply(x)}. */
    abstract Tensor gradient(Tensor x, Tensor gradient);

    /** The activation that a field of a config.json names. */
    public static Activation read(Fields config, String field, String absent) {
        return switch (config.string(field, absent)) {
            case "gelu" -> GELU;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> GELU_TANH;
            case "relu" -> RELU;
            case "silu", "swish" -> SILU;
            case "tanh" -> TANH;
            default ->
                throw config.wrong(
                        field, "one of gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish, tanh");
        };
    }
}
