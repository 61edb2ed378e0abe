package dev.graft.models.layers;

import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardContext;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Token embeddings with the prompt before them.
 *
 * @param rows {@code [batch, prompt + seq, hidden]}
 * @param positions {@code [batch, prompt + seq]} or {@code [1, prompt + seq]} int64
 * @param typeIds {@code [batch, prompt + seq]} int64, 0 for the prompt; or null for zeros
 */
public record InputEmbeddings(
        Tensor rows, Tensor positions, @Nullable Tensor typeIds) {
    /**
     * Looks up the tokens and prepends the prompt, if the hooks have one. With a filled cache there is no prompt: it is in the cache.
     */
    public static InputEmbeddings of(Embedding table, Inputs in, ScalarType type, ForwardPass pass) {
        return of(table, in, 1, type, pass);
    }

    /** Looks up the tokens and multiplies their embeddings, but not the prompt, by a scale. */
    public static InputEmbeddings of(Embedding table, Inputs in, double scale, ScalarType type, ForwardPass pass) {
        ForwardContext context = pass.context();
        KvCache cache = context.cache();
        Tensor rows = Ops.to(pass.hooks().embedding(table, in.ids(), pass), type);
        rows = scale == 1 ? rows : Ops.scale(rows, scale);
        Tensor mask = in.mask();
        Tensor typeIds = in.typeIds();
        Tensor positions = in.positions();
        SoftPrompt prompt = context.isContinuation() ? null : pass.hooks().prompt(table, in.rows(), pass);
        long promptRows = prompt == null ? 0 : prompt.length();
        if (prompt != null) {
            rows = Ops.cat(1, Ops.to(prompt.rows(), type), rows);
            mask = Ops.cat(1, prompt.mask(), mask);
            if (typeIds != null) {
                typeIds = Ops.cat(1, Tensors.zeros(ScalarType.Long, in.rows(), promptRows), typeIds);
            }
            if (positions != null && in.segments() != null) {
                // All texts of a row stand behind its one prompt.
                Tensor before = Tensors.arange(promptRows).unsqueeze(0).expand(in.rows(), -1);
                positions = Ops.cat(1, before, Ops.plusLong(positions, promptRows));
            } else if (positions != null) {
                positions = Inputs.positionsFromMask(mask);
            } else if (cache == null) {
                // A row that has less of a prompt than others starts later, at position 0 all the same.
                positions = Tensors.arange(promptRows + in.width())
                        .unsqueeze(0)
                        .sub(prompt.missing().unsqueeze(1))
                        .clamp_min(new Scalar(0L));
            }
        }
        RaggedBatch<ForwardPass> ragged = pass.ragged();
        if (positions == null && ragged != null) {
            positions = behind(ragged.rows(), in.width());
        } else if (positions == null) {
            long past = cache == null ? 0 : cache.tokenPositions();
            positions =
                    Ops.plusLong(Tensors.arange(promptRows + in.width()), past).unsqueeze(0);
        }
        context.setInputs(
                in.ids(), mask, in.segments(), promptRows, prompt == null ? PromptTargets.none(0) : prompt.targets());
        return new InputEmbeddings(rows, positions, typeIds);
    }

    /**
     * Returns positions that don't count padding, {@code [batch, prompt + seq]}: the number of visible positions before each.
     */
    public Tensor unpaddedPositions(ForwardPass pass) {
        ForwardContext context = pass.context();
        KvCache cache = context.cache();
        if (pass.isRagged()) {
            return positions;
        }
        return cache == null ? Inputs.positionsFromMask(context.mask()) : cache.positions(context.mask());
    }

    /** The next positions of each text, {@code [rows, count]}. */
    private static Tensor behind(List<@Nullable ForwardPass> rows, long count) {
        long[] next = new long[rows.size()];
        for (int row = 0; row < next.length; row++) {
            ForwardPass rowPass = rows.get(row);
            KvCache cache = rowPass == null ? null : rowPass.context().cache();
            next[row] = cache == null ? 0 : cache.tokenPositions();
        }
        return Tensors.of(next, next.length, 1).add(Tensors.arange(count));
    }
}
