package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
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

    /** Reads texts of one width, and hands their answers to their requests. */
    void read(List<WholeText> texts) {
        try (Inference mode = new Inference();
                Scope scope = new Scope()) {
            WholeText first = texts.get(0);
            if (!first.alone()) {
                for (int row = 0; row < texts.size(); row++) {
                    slots.put(row, selection(texts.get(row)));
                }
            }
            Pass pass = Pass.inference(first.alone() ? selection(first).hooks() : slots.hooks());
            Hidden hidden = base.hidden(inputs(texts), pass);
            for (int row = 0; row < texts.size(); row++) {
                WholeText text = texts.get(row);
                Hidden own = new Hidden(
                        hidden.last().narrow(0, row, 1), hidden.mask().narrow(0, row, 1), hidden.prompt(), List.of());
                text.request().take(text.place(), answer(own, text, first.alone() ? pass : head(text)));
                observer.read(text.request().ask.adapter(), text.encoding().length());
            }
        } finally {
            for (int row = 0; row < count; row++) {
                slots.leave(row);
            }
        }
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

    private static Inputs inputs(List<WholeText> texts) {
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

    @Override
    public void close() {
        slots.close();
    }
}
