package dev.graft.serve.engine;

import dev.graft.models.Base;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.EncodeListener;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.RejectedException;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.Numerics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One of the texts of a request.
 *
 * @param index its place in the request
 * @param width its number of tokens in a pass, padding included: a function of its length alone, so that its row always has the same shape
 * @param batching the texts with which it may share a pass
 */
record EncodeJob(RequestState state, int index, int width, Batching batching) {
    /** The texts that may share a pass. */
    enum Batching {
        /** One alone. */
        ALONE,
        /** Those of one width, each in a row. */
        PADDED,
        /** Those of any width, all in one row. */
        PACKED
    }

    /** The state of a request until all its texts are encoded. Used by the engine's thread. */
    static final class RequestState {
        final EncodeRequest request;
        final EncodeListener listener;
        final RequestHandle handle;
        final long submittedAt = System.nanoTime();
        private final float[][] results;
        private int remaining;
        private boolean failed;

        RequestState(EncodeRequest request, EncodeListener listener) {
            this.request = request;
            this.listener = listener;
            this.handle = new RequestHandle(request.deadline());
            this.remaining = request.texts().size();
            this.results = new float[remaining][];
        }

        /** Says once that it isn't answered. */
        synchronized void fail(RuntimeException why) {
            boolean tells = !failed && !handle.isCancelled();
            failed = true;
            if (tells) {
                Callbacks.run(request.model(), () -> listener.onError(why));
            }
        }

        synchronized boolean isAborted() {
            if (handle.isExpired()) {
                fail(RejectedException.timeout());
            }
            return failed || handle.isCancelled();
        }

        void setResult(int place, float[] answer) {
            results[place] = answer;
        }

        /** One of its texts is read or given up. */
        void completeOne() {
            remaining--;
            if (remaining == 0) {
                if (!isAborted()) {
                    Callbacks.run(request.model(), () -> listener.onResults(List.of(results)));
                }
                Callbacks.run(request.model(), listener::onRelease);
            }
        }
    }

    /** The texts of a request. */
    static List<EncodeJob> of(RequestState state, Base base) {
        ServedModel model = state.request.model();
        boolean alone = !base.isBatchInvariant()
                || !model.isTokenwise(base)
                || model.selection().looksAhead();
        boolean packs = base.backbone().supportsExactPacking()
                && base.numerics().equals(Numerics.FP32)
                && model.selection().isLowRank();
        List<EncodeJob> texts = new ArrayList<>();
        for (int place = 0; place < state.request.texts().size(); place++) {
            int length = state.request.texts().get(place).length();
            if (alone || length > base.backbone().maxStablePositions()) {
                texts.add(new EncodeJob(state, place, length, Batching.ALONE));
            } else if (packs) {
                texts.add(new EncodeJob(state, place, length, Batching.PACKED));
            } else {
                int width = Math.min(paddedWidth(length), base.backbone().maxStablePositions());
                texts.add(new EncodeJob(state, place, width, Batching.PADDED));
            }
        }
        return texts;
    }

    /** Returns the padded length. The padding grows up to about a sixth, so that texts of similar length can share a pass. */
    private static int paddedWidth(int length) {
        return paddedWidth(length, length <= 128 ? 16 : 32);
    }

    /** Returns the length of a sequence that packs that many tokens of texts: products are compiled for each length. */
    static int packedWidth(int tokens) {
        return paddedWidth(tokens, 16);
    }

    private static int paddedWidth(int length, int most) {
        int step = length <= 32 ? 4 : length <= 64 ? 8 : most;
        return (length + step - 1) / step * step;
    }

    Encoding encoding() {
        return state.request.texts().get(index);
    }

    String tenant() {
        return state.request.tenant();
    }

    boolean isAlone() {
        return batching == Batching.ALONE;
    }

    /** Tokens of a pass. */
    static int totalTokens(List<EncodeJob> batch) {
        return batch.stream().mapToInt(EncodeJob::width).sum();
    }

    /** Shares texts out in passes, in the order in which they came. */
    static List<List<EncodeJob>> batches(List<EncodeJob> texts, int rows, int tokens) {
        Map<Integer, List<EncodeJob>> filling = new LinkedHashMap<>();
        List<List<EncodeJob>> batches = new ArrayList<>();
        for (EncodeJob job : texts) {
            if (job.isAlone()) {
                batches.add(List.of(job));
                continue;
            }
            int key = job.batching == Batching.PACKED ? 0 : job.width;
            List<EncodeJob> batch = filling.get(key);
            if (batch == null || batch.size() == rows || totalTokens(batch) + job.width > tokens) {
                batch = new ArrayList<>();
                filling.put(key, batch);
                batches.add(batch);
            }
            batch.add(job);
        }
        return batches;
    }
}
