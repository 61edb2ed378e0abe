package dev.graft.models;

import dev.graft.tensor.Recording;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * The layers of steps of one shape, which run the same loops over the same memory, all but the first by a {@link Recording} of it. Where the first repetition doesn't give what the
 * layers give to the last bit they do more than that, and always run themselves.
 */
final class RepeatedLayers implements AutoCloseable {
    /** What acts comes and goes: without updates, with them in some layers or in others. */
    private static final int MOST = 4;

    private static final int TRIED = 64;

    private final Map<Object, Recording> recordings = new LinkedHashMap<>(MOST, 0.75f, true);

    /** Whether they may be repeated, where that is known. */
    private final Map<Object, Boolean> tried = new HashMap<>();

    /**
     * What the layers give.
     *
     * @param way steps of equal ones run the same loops
     * @param given what they are given, made for this step alone
     */
    Tensor run(Object way, List<Tensor> given, Supplier<Tensor> layers) {
        Boolean repeats = tried.get(way);
        if (Boolean.FALSE.equals(repeats) || !Recording.isPossible()) {
            return layers.get();
        }
        Recording known = recordings.get(way);
        if (known == null) {
            Recording first = Recording.of(given, layers);
            recordings.put(way, first);
            dropOldest();
            return first.answer();
        }
        Tensor again = known.again(given);
        if (repeats != null) {
            return again;
        }
        // Behind it, so that what layers keep for later steps is theirs.
        Tensor answer = layers.get();
        boolean same = again.equal(answer);
        if (tried.size() == TRIED) {
            tried.clear();
        }
        tried.put(way, same);
        if (!same) {
            recordings.remove(way);
            known.close();
        }
        return answer;
    }

    private void dropOldest() {
        if (recordings.size() > MOST) {
            Iterator<Recording> oldest = recordings.values().iterator();
            oldest.next().close();
            oldest.remove();
        }
    }

    /** Forgets the recordings, whose memory is no longer there. */
    @Override
    public void close() {
        recordings.values().forEach(Recording::close);
        recordings.clear();
    }
}
