package dev.graft.models;

import dev.graft.formats.FormatException;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The activations that architectures name in {@code hidden_act}. */
public enum Activation {
    GELU {
        @Override
        public Tensor apply(Tensor x) {
            return torch.gelu(x);
        }
    },
    /** GELU by its tanh approximation. */
    GELU_TANH {
        @Override
        public Tensor apply(Tensor x) {
            return torch.gelu(x, "tanh");
        }
    },
    RELU {
        @Override
        public Tensor apply(Tensor x) {
            return x.relu();
        }
    },
    SILU {
        @Override
        public Tensor apply(Tensor x) {
            return torch.silu(x);
        }
    },
    TANH {
        @Override
        public Tensor apply(Tensor x) {
            return x.tanh();
        }
    };

    public abstract Tensor apply(Tensor x);

    /** The activation of that name. */
    public static Activation of(String source, String name) {
        return switch (name) {
            case "gelu" -> GELU;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> GELU_TANH;
            case "relu" -> RELU;
            case "silu", "swish" -> SILU;
            case "tanh" -> TANH;
            default ->
                throw new FormatException(
                        source,
                        "hidden_act is \"" + name
                                + "\", supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu,"
                                + " silu, swish, tanh",
                        null);
        };
    }
}
