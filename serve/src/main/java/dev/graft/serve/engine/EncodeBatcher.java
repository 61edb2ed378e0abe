package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.heads.SentencePooling;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.AdapterBatch;
import dev.graft.peft.Selection;
import dev.graft.serve.EngineObserver;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;

/** Runs whole texts through the base, several in a pass, each with its adapter. Used by one thread at a time. */
final class EncodeBatcher implements AutoCloseable {
    private final Base base;
    private final int maxTexts;
    private final EngineObserver observer;
    private final AdapterBatch adapterBatch;
    private final EncodeKind kind;
    private final SentencePooling pooling;

    /** @param count the most texts of a pass */
    EncodeBatcher(Base base, int count, EngineObserver observer) {
        this.base = base;
        this.maxTexts = count;
        this.observer = observer;
        this.adapterBatch = new AdapterBatch(count);
        this.kind = EncodeKind.of(base.task()).orElseThrow();
        this.pooling = kind == EncodeKind.EMBEDDING ? base.sentencePooling() : SentencePooling.DEFAULT;
    }

    /** Reads texts that may share a pass, and hands their answers to their requests. */
    void encode(List<EncodeJob> texts) {
        try (InferenceScope mode = new InferenceScope();
                Scope scope = new Scope()) {
            EncodeJob first = texts.get(0);
            if (!first.isAlone()) {
                for (int row = 0; row < texts.size(); row++) {
                    adapterBatch.assign(row, selection(texts.get(row)));
                }
            }
            boolean oneRow = first.batching() == EncodeJob.Batching.PACKED && texts.size() > 1;
            Hooks hooks = first.isAlone()
                    ? selection(first).hooks()
                    : oneRow
                            ? adapterBatch.hooks(
                                    texts.stream().mapToInt(EncodeJob::width).toArray())
                            : adapterBatch.hooks();
            ForwardPass pass = ForwardPass.inference(hooks);
            HiddenStates hidden = base.forward(oneRow ? packed(texts) : padded(texts), pass);
            long start = 0;
            for (int i = 0; i < texts.size(); i++) {
                EncodeJob job = texts.get(i);
                HiddenStates own = oneRow ? slice(hidden, 1, start, job.width()) : slice(hidden, 0, i, 1);
                job.state().setResult(job.index(), result(own, job, first.isAlone() ? pass : headPass(job)));
                observer.onInputTokens(
                        job.state().request.model(), job.encoding().length());
                start += job.width();
            }
        } finally {
            for (int row = 0; row < maxTexts; row++) {
                adapterBatch.clear(row);
            }
        }
    }

    private static HiddenStates slice(HiddenStates hidden, int dimension, long start, long length) {
        return new HiddenStates(
                hidden.last().narrow(dimension, start, length),
                hidden.mask().narrow(dimension, start, length),
                hidden.prompt(),
                List.of());
    }

    private static ForwardPass headPass(EncodeJob job) {
        return ForwardPass.inference(selection(job).hooks());
    }

    /**
     * Returns the result for one text: its vector, its logits, or the logits of its tokens.
     *
     * @param pass of one text, for the head; the pass of the layers below where an adapter stored something there
     */
    private float[] result(HiddenStates own, EncodeJob job, ForwardPass pass) {
        int length = job.encoding().length();
        int before = (int) own.prompt();
        return switch (kind) {
            case EMBEDDING -> Tensors.floats(pooling.of(slice(own, 1, 0, before + length)));
            case LABEL -> Tensors.floats(base.logits(own, pass));
            case TOKEN_LABELS -> {
                float[] logits = Tensors.floats(base.logits(own, pass));
                int labels = logits.length / (int) own.last().size(1);
                yield Arrays.copyOfRange(logits, before * labels, (before + length) * labels);
            }
        };
    }

    private static Selection selection(EncodeJob job) {
        return job.state().request.model().selection();
    }

    /** A row for each text. */
    private static Inputs padded(List<EncodeJob> texts) {
        int width = texts.get(0).width();
        long[] ids = new long[texts.size() * width];
        long[] types = new long[ids.length];
        long[] mask = new long[ids.length];
        for (int row = 0; row < texts.size(); row++) {
            Encoding text = texts.get(row).encoding();
            for (int i = 0; i < text.length(); i++) {
                ids[row * width + i] = text.ids()[i];
                types[row * width + i] = text.typeIds()[i];
                mask[row * width + i] = 1;
            }
        }
        long rows = texts.size();
        return new Inputs(
                Tensors.of(ids, rows, width), Tensors.of(mask, rows, width), Tensors.of(types, rows, width), null);
    }

    /** All texts in one row, and padding behind them. */
    private static Inputs packed(List<EncodeJob> texts) {
        int width = EncodeJob.packedWidth(EncodeJob.totalTokens(texts));
        long[] ids = new long[width];
        long[] mask = new long[width];
        long[] types = new long[width];
        long[] positions = new long[width];
        long[] segments = new long[width];
        Arrays.fill(segments, texts.size());
        int at = 0;
        for (int number = 0; number < texts.size(); number++) {
            Encoding text = texts.get(number).encoding();
            for (int i = 0; i < text.length(); i++, at++) {
                ids[at] = text.ids()[i];
                mask[at] = 1;
                types[at] = text.typeIds()[i];
                positions[at] = i;
                segments[at] = number;
            }
        }
        return new Inputs(
                Tensors.of(ids, 1, width),
                Tensors.of(mask, 1, width),
                Tensors.of(types, 1, width),
                Tensors.of(positions, 1, width),
                null,
                null,
                Tensors.of(segments, 1, width));
    }

    @Override
    public void close() {
        adapterBatch.close();
    }
}
