package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.Selection;
import dev.graft.peft.Slots;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Runs whole texts through the base, several in a pass, each with its adapter. Used by one thread at a time. */
final class WholePasses implements AutoCloseable {
    private final Base base;
    private final int count;
    private final Engine.Observer observer;
    private final Slots slots;

    /** @param count the most texts of a pass */
    WholePasses(Base base, int count, Engine.Observer observer) {
        this.base = base;
        this.count = count;
        this.observer = observer;
        this.slots = new Slots(count);
    }

    /** Reads texts that may share a pass, and hands their answers to their requests. */
    void read(List<WholeText> texts) {
        try (Inference mode = new Inference();
                Scope scope = new Scope()) {
            WholeText first = texts.get(0);
            if (!first.alone()) {
                for (int row = 0; row < texts.size(); row++) {
                    slots.put(row, selection(texts.get(row)));
                }
            }
            boolean oneRow = first.kind() == WholeText.Kind.ONE_ROW && texts.size() > 1;
            Hooks hooks = first.alone()
                    ? selection(first).hooks()
                    : oneRow
                            ? slots.hooks(
                                    texts.stream().mapToInt(WholeText::width).toArray())
                            : slots.hooks();
            Pass pass = Pass.inference(hooks);
            Hidden hidden = base.hidden(oneRow ? row(texts) : rows(texts), pass);
            long start = 0;
            for (int i = 0; i < texts.size(); i++) {
                WholeText text = texts.get(i);
                Hidden own = oneRow ? part(hidden, 1, start, text.width()) : part(hidden, 0, i, 1);
                text.request().take(text.place(), answer(own, text, first.alone() ? pass : head(text)));
                observer.read(text.request().ask.adapter(), text.encoding().length());
                start += text.width();
            }
        } finally {
            for (int row = 0; row < count; row++) {
                slots.leave(row);
            }
        }
    }

    private static Hidden part(Hidden hidden, int dimension, long start, long length) {
        return new Hidden(
                hidden.last().narrow(dimension, start, length),
                hidden.mask().narrow(dimension, start, length),
                hidden.prompt(),
                List.of());
    }

    private static Pass head(WholeText text) {
        return Pass.inference(selection(text).hooks());
    }

    /**
     * What one text's hidden states are read as.
     *
     * @param pass of one row, for the head; that of the layers below where an adapter has left something there
     */
    private float[] answer(Hidden own, WholeText text, Pass pass) {
        int length = text.encoding().length();
        int before = (int) own.prompt();
        if (base.task() == Task.FEATURE_EXTRACTION || base.task() == Task.MASKED_LM) {
            float[] states = Tensors.floats(Ops.to(own.last(), ScalarType.Float));
            return mean(states, before + length, base.backbone().outputSize());
        }
        float[] logits = Tensors.floats(base.logits(own, pass));
        if (base.task() == Task.SEQ_CLS) {
            return logits;
        }
        int labels = logits.length / (int) own.last().size(1);
        return Arrays.copyOfRange(logits, before * labels, (before + length) * labels);
    }

    /** The mean of the first positions, of length 1. */
    private static float[] mean(float[] hidden, int positions, int size) {
        double[] sum = new double[size];
        for (int position = 0; position < positions; position++) {
            for (int i = 0; i < size; i++) {
                sum[i] += hidden[position * size + i];
            }
        }
        double length = Math.sqrt(Arrays.stream(sum).map(value -> value * value).sum());
        float[] vector = new float[size];
        for (int i = 0; i < size; i++) {
            vector[i] = (float) (sum[i] / length);
        }
        return vector;
    }

    private static Selection selection(WholeText text) {
        return text.request().ask.adapter().selection();
    }

    /** A row for each text. */
    private static Inputs rows(List<WholeText> texts) {
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
    private static Inputs row(List<WholeText> texts) {
        int width = WholeText.row(WholeText.tokens(texts));
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
        slots.close();
    }
}
