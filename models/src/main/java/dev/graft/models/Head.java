package dev.graft.models;

import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What turns hidden states into an answer: a choice of rows, then a map of each row. */
public sealed interface Head {
    /** The head's sites, in the order of its modules. */
    List<Site> sites();

    /** The rows that the head reads: {@code [batch, seq, hidden]} for token heads, {@code [batch, hidden]} for sequence heads. */
    default Tensor rows(Hidden hidden, Pass pass) {
        return hidden.last();
    }

    /** The logits of rows {@code [..., hidden]}. */
    Tensor project(Tensor rows, Pass pass);

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

    /** A linear map of every row: token classification, answer spans, next tokens. */
    record PerToken(Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return List.of(output);
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            return pass.hooks().linear(output, rows, pass);
        }
    }

    /** BERT's masked language model: dense, activation, norm, then the vocabulary. */
    record MaskedLm(Linear transform, Activation activation, Norm norm, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            return List.of(transform, norm, output);
        }

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            Tensor dense = activation.apply(pass.hooks().linear(transform, rows, pass));
            Tensor normed = pass.hooks().norm(norm, Ops.to(dense, norm.weight().scalar_type()), pass);
            return pass.hooks().linear(output, normed, pass);
        }
    }

    /** How a sequence becomes one row. */
    enum Pooling {
        /** The first position, be it of a prompt or of the text; padding on the left counts. */
        FIRST,
        /** The last position that is not padding. */
        LAST,
        /** The mean of all positions that are not padding. */
        MEAN
    }

    /**
     * One row for a sequence, then a linear map.
     *
     * @param pooler a dense layer with tanh between, or null
     */
    record Sequence(Pooling pooling, @Nullable Linear pooler, double dropout, Linear output) implements Head {
        @Override
        public List<Site> sites() {
            List<Site> sites = new ArrayList<>();
            if (pooler != null) {
                sites.add(pooler);
            }
            sites.add(output);
            return sites;
        }

        @Override
        public Tensor rows(Hidden hidden, Pass pass) {
            Tensor last = hidden.last();
            return switch (pooling) {
                case FIRST ->
                    hidden.prompt() == 0
                            ? last.select(1, 0)
                            : at(
                                    last,
                                    Ops.plusLong(
                                            Ops.sum(hidden.mask().narrow(1, 0, hidden.prompt()), 1, false)
                                                    .neg(),
                                            hidden.prompt()));
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

        @Override
        public Tensor project(Tensor rows, Pass pass) {
            Tensor pooled = pooler == null
                    ? rows
                    : pass.hooks().linear(pooler, rows, pass).tanh();
            return pass.hooks().linear(output, Ops.dropout(pooled, dropout, pass.isTraining()), pass);
        }
    }
}
