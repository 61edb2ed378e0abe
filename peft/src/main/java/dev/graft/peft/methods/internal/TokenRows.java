package dev.graft.peft.methods.internal;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Training of single rows of an embedding or a head: PEFT's {@code trainable_token_indices}. The saved tensor
 * {@code token_adapter.trainable_tokens_delta [rows, hidden]} contains the rows themselves, not differences. If the head is tied to the
 * embedding, both use the new rows.
 */
public final class TokenRows {
    private TokenRows() {}

    /** Trains the rows of these tokens; an empty module name means the input embedding. */
    public static void graft(Grafter g, Map<String, List<Integer>> tokens) {
        tokens.forEach((module, ids) -> {
            for (Site site : g.base().sites()) {
                boolean named = !module.isEmpty()
                        && (site.name().equals(module) || site.name().endsWith("." + module));
                boolean input = module.isEmpty() && site instanceof Embedding embedding && embedding.input();
                if (input || named && (site instanceof Embedding || site instanceof Linear)) {
                    graft(g, site, ids, "trainable_token_indices", "token_adapter.trainable_tokens_delta", true);
                }
            }
        });
    }

    /**
     * Trains the rows of these tokens in one table.
     *
     * @param field the field of the configuration with the ids
     * @param suffix the suffix of the saved tensor's name
     * @param startAsBase whether the rows start as the base's; else they are standard normal
     */
    public static void graft(
            Grafter g, Site site, List<Integer> ids, String field, String suffix, boolean startAsBase) {
        if (site instanceof Embedding embedding) {
            Rows rows = rows(g, site, embedding.weight(), ids, field, suffix, startAsBase);
            g.add(site, new EmbeddingDelta(rows));
            Linear head = g.base().head().output();
            if (head != null && embedding.input() && head.weight().equals(embedding.weight())) {
                g.add(head, new LinearDelta(rows));
            }
        } else if (site instanceof Linear linear) {
            g.add(site, new LinearDelta(rows(g, site, linear.weight(), ids, field, suffix, startAsBase)));
        }
    }

    private record Rows(Tensor ids, Tensor values, Tensor base) {}

    private static Rows rows(
            Grafter g, Site site, Tensor weight, List<Integer> ids, String field, String suffix, boolean startAsBase) {
        for (int id : ids) {
            if (id < 0 || id >= weight.size(0)) {
                throw new InputException(
                        field + ": " + id + " is outside the " + weight.size(0) + " rows of " + site.name());
            }
        }
        if (new HashSet<>(ids).size() < ids.size()) {
            throw new InputException(field + ": " + ids + " has a token twice");
        }
        Tensor index = Tensors.of(ids.stream().mapToLong(Integer::longValue).toArray(), ids.size());
        index.retainReference();
        Tensor values = g.parameter(
                site,
                suffix,
                startAsBase ? (rng, shape) -> weight.detach().index_select(0, index) : Initializer.normal(1),
                ids.size(),
                weight.size(1));
        return new Rows(index, values, weight);
    }

    /** ΔW: zero but for the chosen rows. */
    private static Tensor delta(Rows rows) {
        Tensor change = rows.values.sub(rows.base.index_select(0, rows.ids));
        return Tensors.zeros(change.scalar_type(), Tensors.shape(rows.base)).index_copy(0, rows.ids, change);
    }

    private record EmbeddingDelta(Rows rows) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor ids, PassView pass) {
            long count = rows.ids.size(0);
            Tensor change = rows.values.sub(rows.base.index_select(0, rows.ids));
            Tensor hits = Ops.to(ids.reshape(-1, 1).eq(rows.ids.view(1, count)), change.scalar_type());
            long[] shape = new long[(int) ids.dim() + 1];
            for (int i = 0; i < shape.length - 1; i++) {
                shape[i] = ids.size(i);
            }
            shape[shape.length - 1] = change.size(1);
            return hits.matmul(change).view(shape);
        }

        @Override
        public Tensor weight() {
            return delta(rows);
        }
    }

    private record LinearDelta(Rows rows) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor change = Ops.to(rows.values.sub(rows.base.index_select(0, rows.ids)), type);
            Tensor columns = Ops.linear(x, change, null);
            long[] shape = Tensors.shape(columns);
            shape[shape.length - 1] = rows.base.size(0);
            return Tensors.zeros(type, shape).index_copy(shape.length - 1, rows.ids, columns);
        }

        @Override
        public Tensor weight() {
            return delta(rows);
        }
    }
}
