package dev.graft.models.heads;

import dev.graft.models.functions.Activation;
import dev.graft.models.functions.SoftCap;
import dev.graft.models.sites.HookedPass;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.ManualGradient;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A map of hidden states to outputs: a selection of rows, then a map of each row. */
public sealed interface Head {
    /** The head's sites, in the order of its modules. */
    List<Site> sites();

    /**
     * Returns the rows that the head reads: {@code [batch, seq, hidden]} for token heads, {@code [batch, hidden]} for sequence heads.
     */
    default Tensor rows(HiddenStates hidden, HookedPass pass) {
        return hidden.last();
    }

    /** Returns whether it reads only the first position of each row. */
    default boolean readsFirstOnly() {
        return false;
    }

    /** Returns the logits {@code [..., out]} of rows {@code [..., hidden]}. */
    Tensor project(Tensor rows, HookedPass pass);

    /**
     * Returns the logits {@code [n, out]} of rows {@code [n, hidden]} for a loss that doesn't change if a number is added to all logits of a row.
     * In bf16 the logit of the row's label is subtracted where possible, since small values keep more digits.
     *
     * @param labels {@code [n]} int64
     */
    default Tensor project(Tensor rows, Tensor labels, HookedPass pass) {
        return project(rows, pass);
    }

    /**
     * Returns the formula of the logits of rows {@code [n, hidden]} for a loss; null if autograd must compute their gradient.
     */
    default @Nullable Formula formula(HookedPass pass) {
        return null;
    }

    /** Logits whose gradient is known by formula. */
    interface Formula {
        /**
         * Returns the logits of rows {@code [n, hidden]} in the type of the head, as {@link Head#project(Tensor, Tensor, HookedPass)} does.
         */
        Tensor logits(Tensor rows, Tensor labels);

        /** Returns the gradient of the rows from that of their logits. */
        Tensor backward(Tensor rows, Tensor gradient);
    }

    /** Returns the logits for hidden states. */
    default Tensor logits(HiddenStates hidden, HookedPass pass) {
        return project(rows(hidden, pass), pass);
    }

    /** The linear layer whose outputs are the logits, or null for a headless model. */
    @Nullable
    Linear output();

    /** No head: the output is the hidden states themselves. */
    record NoHead(List<Site> sites) implements Head {
        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return rows;
        }

        @Override
        public @Nullable Linear output() {
            return null;
        }
    }

    /**
     * The cosine of every image {@code [images]} with every text {@code [texts]}, times {@code exp(scale)}, plus the bias:
     * {@code [images, texts]}.
     *
     * @param scale one number
     * @param bias one number if a sigmoid scores each pair alone; null if the texts of an image compete in a softmax
     */
    record Contrastive(Tensor scale, @Nullable Tensor bias) implements Head {
        @Override
        public List<Site> sites() {
            return List.of();
        }

        @Override
        public Tensor logits(HiddenStates hidden, HookedPass pass) {
            Tensor images = hidden.images();
            if (images == null) {
                throw new IllegalArgumentException("only a dual encoder has images beside its texts");
            }
            return shifted(images.matmul(project(hidden.last().squeeze(1), pass).t()));
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return rows.mul(scale.exp());
        }

        private Tensor shifted(Tensor scaled) {
            return bias == null ? scaled : scaled.add(bias);
        }

        @Override
        public @Nullable Linear output() {
            return null;
        }
    }

    /** A dense layer before the output: {@code norm(activation(W dropout(x) + b))}. */
    record Dense(
            Linear linear,
            @Nullable Activation activation,
            @Nullable Norm norm,
            double dropout) {
        List<Site> sites() {
            return norm == null ? List.of(linear) : List.of(linear, norm);
        }

        /** Returns the layer's output for rows {@code [..., hidden]}. */
        public Tensor apply(Tensor rows, HookedPass pass) {
            Tensor x = Dropout.apply(rows, dropout, pass.isTraining());
            Tensor mapped = pass.hooks().linear(linear, x, pass);
            Tensor y = activation == null ? mapped : activation.apply(mapped);
            return norm == null
                    ? y
                    : pass.hooks().norm(norm, Ops.to(y, norm.weight().scalar_type()), pass);
        }
    }

    /** A head of a single family, such as DeiT's for two tokens. */
    non-sealed interface CustomHead extends Head {}

    private static List<Site> sites(@Nullable Dense dense, Linear output) {
        List<Site> sites = new ArrayList<>(dense == null ? List.of() : dense.sites());
        sites.add(output);
        return sites;
    }

    /** Returns the input of an output layer that follows a dense layer. */
    private static Tensor read(Tensor rows, @Nullable Dense dense, double dropout, HookedPass pass) {
        return Dropout.apply(dense == null ? rows : dense.apply(rows, pass), dropout, pass.isTraining());
    }

    /**
     * A linear map of every row: masked or next tokens, token classification, answer spans.
     *
     * @param dense a layer before it, or null
     * @param dropout the dropout before the output layer
     */
    record PerToken(@Nullable Dense dense, double dropout, Linear output) implements Head {
        /** Creates a head that consists of the map alone. */
        public PerToken(Linear output) {
            this(null, 0, output);
        }

        @Override
        public List<Site> sites() {
            return Head.sites(dense, output);
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return pass.hooks().linear(output, Head.read(rows, dense, dropout, pass), pass);
        }

        @Override
        public Tensor project(Tensor rows, Tensor labels, HookedPass pass) {
            if (!isPlain(pass)) {
                return project(rows, pass);
            }
            Tensor x = Ops.to(Head.read(rows, dense, dropout, pass), output.type());
            return output.addTo(offset(x.detach(), labels), x, pass);
        }

        private boolean isPlain(HookedPass pass) {
            return output.type().value == ScalarType.BFloat16.value
                    && !output.isQuantized()
                    && pass.hooks().isFrozen(output);
        }

        private Tensor offset(Tensor x, Tensor labels) {
            return own(x, labels).neg().expand(x.size(0), output.out());
        }

        @Override
        public @Nullable Formula formula(HookedPass pass) {
            if (!isPlain(pass) || dense != null || (dropout > 0 && pass.isTraining())) {
                return null;
            }
            ManualGradient layer = output.manualGradient();
            return new Formula() {
                @Override
                public Tensor logits(Tensor rows, Tensor labels) {
                    return layer.forward(rows, offset(rows, labels).contiguous())
                            .get(0);
                }

                @Override
                public Tensor backward(Tensor rows, Tensor gradient) {
                    return Objects.requireNonNull(layer.backward(rows, gradient, List.of(), true, null));
                }
            };
        }

        /** About what each row's label has, {@code [n, 1]}. */
        private Tensor own(Tensor x, Tensor labels) {
            Tensor weights = output.weight().index_select(0, labels);
            Tensor own = Ops.sum(Ops.to(x, ScalarType.Float).mul(weights), -1, true);
            Tensor bias = output.bias();
            Tensor whole =
                    bias == null ? own : own.add(bias.index_select(0, labels).unsqueeze(1));
            return Ops.to(whole, output.type());
        }
    }

    /**
     * A class for each pixel of an image (Oquab et al., 2023, section 7.4): a linear map of every patch, interpolated to the pixels.
     *
     * @param tokens the number of rows before the patches
     * @param patch the side of a patch in pixels
     */
    record PerPatch(int tokens, int patch, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return List.of(output);
        }

        @Override
        public Tensor rows(HiddenStates hidden, HookedPass pass) {
            long before = hidden.prompt() + tokens;
            return hidden.last().narrow(1, before, hidden.last().size(1) - before);
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return pass.hooks().linear(output, rows, pass);
        }

        /**
         * Interpolates the logits of patches to pixels, bilinearly between the centres of patches.
         *
         * @param logits {@code [images, patches, classes]}
         * @param seen the height of the model's input images in pixels
         * @return {@code [images, classes, height, width]}
         */
        public Tensor spread(Tensor logits, long seen, long height, long width) {
            long rows = seen / patch;
            Tensor grid = logits.view(logits.size(0), rows, logits.size(1) / rows, logits.size(2))
                    .permute(0, 3, 1, 2);
            return torch.upsample_bilinear2d(Ops.to(grid, ScalarType.Float), new long[] {height, width}, false);
        }
    }

    /** Another head with modified logits. */
    sealed interface Wrapper extends Head {
        Head head();

        @Override
        default List<Site> sites() {
            return head().sites();
        }

        @Override
        default Tensor rows(HiddenStates hidden, HookedPass pass) {
            return head().rows(hidden, pass);
        }

        @Override
        default boolean readsFirstOnly() {
            return head().readsFirstOnly();
        }

        @Override
        default @Nullable Linear output() {
            return head().output();
        }
    }

    /** Another head's logits plus frozen numbers {@code [1, out]}. */
    record Biased(Head head, Tensor bias) implements Wrapper {
        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return shifted(head.project(rows, pass));
        }

        @Override
        public Tensor project(Tensor rows, Tensor labels, HookedPass pass) {
            return shifted(head.project(rows, labels, pass));
        }

        private Tensor shifted(Tensor logits) {
            return logits.add(Ops.to(bias, logits.scalar_type()));
        }
    }

    /** Another head's logits, capped. No label's logit can be subtracted before the cap. */
    record Capped(Head head, SoftCap cap) implements Wrapper {
        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return cap.apply(head.project(rows, pass));
        }
    }

    /**
     * Several dense layers, then a linear map: AdapterHub's heads.
     *
     * @param pooling the reduction of a sequence to one row, or null for logits of every row
     * @param scale the factor of the rows before the layers
     * @param dense the layers
     * @param stream the site of adapters whose effect is undone before the map, or null
     * @param dropout the dropout before the map
     */
    record Layered(
            @Nullable Pooling pooling,
            double scale,
            List<Dense> dense,
            @Nullable Stream stream,
            double dropout,
            Linear output)
            implements Head {
        public Layered {
            dense = List.copyOf(dense);
        }

        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>();
            dense.forEach(layer -> sites.addAll(layer.sites()));
            sites.add(output);
            return sites;
        }

        @Override
        public Tensor rows(HiddenStates hidden, HookedPass pass) {
            return pooling == null ? hidden.last() : pooling.rows(hidden);
        }

        @Override
        public boolean readsFirstOnly() {
            return pooling == Pooling.FIRST;
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            Tensor x = scale == 1 ? rows : Ops.scale(rows, scale);
            for (Dense layer : dense) {
                x = layer.apply(x, pass);
            }
            x = stream == null ? x : pass.hooks().undoStream(stream, x);
            return pass.hooks().linear(output, Dropout.apply(x, dropout, pass.isTraining()), pass);
        }
    }

    /** The rule that reduces a sequence to one row. */
    enum Pooling {
        /** The first position, of a prompt or of the text; padding on the left counts. */
        FIRST,
        /** The first position that is not padding. */
        BEGINNING,
        /** The last position that is not padding. */
        LAST,
        /** The mean of all positions that are not padding. */
        MEAN;

        /** Returns the rows, {@code [batch, hidden]}. */
        Tensor rows(HiddenStates hidden) {
            Tensor last = hidden.last();
            return switch (this) {
                case FIRST -> {
                    Tensor begins = hidden.rowStarts();
                    if (begins == null && hidden.prompt() == 0) {
                        yield last.select(1, 0);
                    }
                    long prompt = hidden.prompt();
                    yield at(
                            last,
                            begins != null
                                    ? begins
                                    : Ops.plusLong(
                                            Ops.sum(hidden.mask().narrow(1, 0, prompt), 1, false)
                                                    .neg(),
                                            prompt));
                }
                case BEGINNING -> at(last, hidden.mask().argmax(new org.bytedeco.pytorch.LongOptional(1), false));
                case LAST -> {
                    Tensor mask = hidden.mask();
                    Tensor positions = Tensors.arange(mask.size(1));
                    Tensor index = mask.mul(positions).argmax(new org.bytedeco.pytorch.LongOptional(1), false);
                    yield at(last, index);
                }
                case MEAN -> {
                    Tensor weights = Ops.to(hidden.mask(), last.scalar_type()).unsqueeze(-1);
                    yield Ops.sum(last.mul(weights), 1, false)
                            .div(Ops.sum(weights, 1, false).clamp_min(new Scalar(1)));
                }
            };
        }

        private static Tensor at(Tensor hidden, Tensor index) {
            return hidden.gather(1, index.view(-1, 1, 1).expand(index.size(0), 1, hidden.size(2)))
                    .squeeze(1);
        }
    }

    /**
     * One row for a sequence, then a linear map.
     *
     * @param dense a layer before it, or null
     * @param dropout the dropout before the output layer
     */
    record PerSequence(Pooling pooling, @Nullable Dense dense, double dropout, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return Head.sites(dense, output);
        }

        @Override
        public Tensor rows(HiddenStates hidden, HookedPass pass) {
            return pooling.rows(hidden);
        }

        @Override
        public boolean readsFirstOnly() {
            return pooling == Pooling.FIRST;
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            return pass.hooks().linear(output, Head.read(rows, dense, dropout, pass), pass);
        }
    }
}
