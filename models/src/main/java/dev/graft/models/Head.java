package dev.graft.models;

import dev.graft.models.sites.Explicit;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** What turns hidden states into an answer: a choice of rows, then a map of each row. */
public sealed interface Head {
    /** The head's sites, in the order of its modules. */
    List<Site> sites();

    /** The rows that the head reads: {@code [batch, seq, hidden]} for token heads, {@code [batch, hidden]} for sequence heads. */
    default Tensor rows(Hidden hidden, Pass pass) {
        return hidden.last();
    }

    /** Whether it reads nothing but the first position of each row. */
    default boolean readsFirst() {
        return false;
    }

    /** The logits of rows {@code [..., hidden]}. */
    Tensor project(Tensor rows, Pass pass);

    /**
     * The logits of rows {@code [n, hidden]} as a loss needs them, which is the same whatever is added to all logits of a row: in bf16, where it
     * can be, each is less what the row's label has, since small values keep more digits.
     *
     * @param labels {@code [n]} int64
     */
    default Tensor project(Tensor rows, Tensor labels, Pass pass) {
        return project(rows, pass);
    }

    /** What logits of rows {@code [n, hidden]} are by formula, as a loss needs them; null where autograd must find their gradient. */
    default @Nullable Formula formula(Pass pass) {
        return null;
    }

    /** Logits whose gradient is known by formula. */
    interface Formula {
        /** Logits of rows {@code [n, hidden]} in the type of the head, as {@link Head#project(Tensor, Tensor, Pass)} gives them. */
        Tensor logits(Tensor rows, Tensor labels);

        /** The gradient of those rows from that of their logits. */
        Tensor backward(Tensor rows, Tensor gradient);
    }

    /** The answer for hidden states. */
    default Tensor logits(Hidden hidden, Pass pass) {
        return project(rows(hidden, pass), pass);
    }

    /** The linear layer whose outputs are the logits, or null for a headless model. */
    @Nullable
    Linear output();

    /** No head: the answer is the hidden states themselves. */
    record None(List<Site> sites) implements Head {
        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return rows;
        }

        @Override
        public @Nullable Linear output() {
            return null;
        }
    }

    /**
     * The cosine of every image {@code [images]} with every text {@code [texts]}, times {@code exp(scale)}, plus the bias: {@code [images,
     * texts]}.
     *
     * @param scale one number
     * @param bias one number where each pair is judged alone, by a sigmoid; null where the texts of an image compete
     */
    record Contrastive(Tensor scale, @Nullable Tensor bias) implements Head {
        @Override
        public List<Site> sites() {
            return List.of();
        }

        @Override
        public Tensor logits(Hidden hidden, Pass pass) {
            Tensor images = hidden.images();
            if (images == null) {
                throw new IllegalArgumentException("only a dual encoder has images beside its texts");
            }
            return shifted(images.matmul(project(hidden.last().squeeze(1), pass).t()));
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
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

        /** The layer's answer for rows {@code [..., hidden]}. */
        public Tensor apply(Tensor rows, Pass pass) {
            Tensor x = Ops.dropout(rows, dropout, pass.isTraining());
            Tensor mapped = pass.hooks().linear(linear, x, pass);
            Tensor y = activation == null ? mapped : activation.apply(mapped);
            return norm == null
                    ? y
                    : pass.hooks().norm(norm, Ops.to(y, norm.weight().scalar_type()), pass);
        }
    }

    /** A head that one family alone has, such as DeiT's of two tokens. */
    non-sealed interface Own extends Head {}

    private static List<Site> sites(@Nullable Dense dense, Linear output) {
        List<Site> sites = new ArrayList<>(dense == null ? List.of() : dense.sites());
        sites.add(output);
        return sites;
    }

    /** What an output behind a dense layer reads. */
    private static Tensor read(Tensor rows, @Nullable Dense dense, double dropout, Pass pass) {
        return Ops.dropout(dense == null ? rows : dense.apply(rows, pass), dropout, pass.isTraining());
    }

    /**
     * A linear map of every row: masked or next tokens, token classification, answer spans.
     *
     * @param dense a layer before it, or null
     * @param dropout of what the output reads
     */
    record PerToken(@Nullable Dense dense, double dropout, Linear output) implements Head {
        /** Only the map. */
        public PerToken(Linear output) {
            this(null, 0, output);
        }

        @Override
        public List<Site> sites() {
            return Head.sites(dense, output);
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return pass.hooks().linear(output, Head.read(rows, dense, dropout, pass), pass);
        }

        @Override
        public Tensor project(Tensor rows, Tensor labels, Pass pass) {
            if (!isPlain(pass)) {
                return project(rows, pass);
            }
            Tensor x = Ops.to(Head.read(rows, dense, dropout, pass), output.type());
            return output.addTo(offset(x.detach(), labels), x, pass);
        }

        private boolean isPlain(Pass pass) {
            return output.type().value == ScalarType.BFloat16.value
                    && !output.isQuantized()
                    && pass.hooks().isFrozen(output);
        }

        private Tensor offset(Tensor x, Tensor labels) {
            return own(x, labels).neg().expand(x.size(0), output.out());
        }

        @Override
        public @Nullable Formula formula(Pass pass) {
            if (!isPlain(pass) || dense != null || (dropout > 0 && pass.isTraining())) {
                return null;
            }
            Explicit layer = output.explicit();
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
     * A class for each point of an image (Oquab et al., 2023, section 7.4): a linear map of every patch, spread over the points.
     *
     * @param tokens how many rows stand before the patches
     * @param patch the side of a patch
     */
    record Patches(int tokens, int patch, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return List.of(output);
        }

        @Override
        public Tensor rows(Hidden hidden, Pass pass) {
            long before = hidden.prompt() + tokens;
            return hidden.last().narrow(1, before, hidden.last().size(1) - before);
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return pass.hooks().linear(output, rows, pass);
        }

        /**
         * Logits of patches, row by row, as those of points, bilinear between the middles of patches.
         *
         * @param logits {@code [images, patches, classes]}
         * @param seen the height of the images that the model saw, in points
         * @return {@code [images, classes, height, width]}
         */
        public Tensor spread(Tensor logits, long seen, long height, long width) {
            long rows = seen / patch;
            Tensor grid = logits.view(logits.size(0), rows, logits.size(1) / rows, logits.size(2))
                    .permute(0, 3, 1, 2);
            return torch.upsample_bilinear2d(Ops.to(grid, ScalarType.Float), new long[] {height, width}, false);
        }
    }

    /** Another head, but for its logits. */
    sealed interface Around extends Head {
        Head head();

        @Override
        default List<Site> sites() {
            return head().sites();
        }

        @Override
        default Tensor rows(Hidden hidden, Pass pass) {
            return head().rows(hidden, pass);
        }

        @Override
        default boolean readsFirst() {
            return head().readsFirst();
        }

        @Override
        default @Nullable Linear output() {
            return head().output();
        }
    }

    /** Another head's logits with numbers {@code [1, out]} added that nothing trains. */
    record Biased(Head head, Tensor bias) implements Around {
        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return shifted(head.project(rows, pass));
        }

        @Override
        public Tensor project(Tensor rows, Tensor labels, Pass pass) {
            return shifted(head.project(rows, labels, pass));
        }

        private Tensor shifted(Tensor logits) {
            return logits.add(Ops.to(bias, logits.scalar_type()));
        }
    }

    /** Another head's logits, capped: no row's label can be taken off before that. */
    record Capped(Head head, SoftCap cap) implements Around {
        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return cap.apply(head.project(rows, pass));
        }
    }

    /**
     * Several dense layers, then a linear map: AdapterHub's heads.
     *
     * @param pooling how a sequence becomes one row, or null where every row has logits
     * @param scale what rows are multiplied by first
     * @param dense the layers
     * @param stream where adapters act that are undone before the map, or null
     * @param dropout of what the map reads
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
        public Tensor rows(Hidden hidden, Pass pass) {
            return pooling == null ? hidden.last() : pooling.rows(hidden);
        }

        @Override
        public boolean readsFirst() {
            return pooling == Pooling.FIRST;
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            Tensor x = scale == 1 ? rows : Ops.scale(rows, scale);
            for (Dense layer : dense) {
                x = layer.apply(x, pass);
            }
            x = stream == null ? x : pass.hooks().undo(stream, x);
            return pass.hooks().linear(output, Ops.dropout(x, dropout, pass.isTraining()), pass);
        }
    }

    /** How a sequence becomes one row. */
    enum Pooling {
        /** The first position, be it of a prompt or of the text; padding on the left counts. */
        FIRST,
        /** The first position that is not padding. */
        BEGINNING,
        /** The last position that is not padding. */
        LAST,
        /** The mean of all positions that are not padding. */
        MEAN;

        /** The rows, {@code [batch, hidden]}. */
        Tensor rows(Hidden hidden) {
            Tensor last = hidden.last();
            return switch (this) {
                case FIRST -> {
                    Tensor begins = hidden.begins();
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
     * @param dropout of what the output reads
     */
    record Sequence(Pooling pooling, @Nullable Dense dense, double dropout, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return Head.sites(dense, output);
        }

        @Override
        public Tensor rows(Hidden hidden, Pass pass) {
            return pooling.rows(hidden);
        }

        @Override
        public boolean readsFirst() {
            return pooling == Pooling.FIRST;
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return pass.hooks().linear(output, Head.read(rows, dense, dropout, pass), pass);
        }
    }
}
