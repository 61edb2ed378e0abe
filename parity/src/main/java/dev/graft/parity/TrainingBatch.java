package dev.graft.parity;

import dev.graft.models.Task;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Image;
import dev.graft.train.data.Target;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** A stored batch as examples, which can be batched as a whole or in parts. */
record TrainingBatch(List<Example> examples) {
    /** The batches {@code batch.0.*}, {@code batch.1.*}, …; padding is on the right. */
    static List<TrainingBatch> read(ReferenceTensors stored, Task task) {
        List<TrainingBatch> batches = new ArrayList<>();
        for (int i = 0; stored.has("batch." + i + ".pixel_values"); i++) {
            batches.add(images(stored.get("batch." + i + ".pixel_values"), stored.get("batch." + i + ".labels")));
        }
        for (int i = 0; stored.has("batch." + i + ".input_ids"); i++) {
            String prefix = "batch." + i + ".";
            Tensor ids = stored.get(prefix + "input_ids");
            Tensor mask = stored.get(prefix + "attention_mask");
            Tensor types = stored.find(prefix + "token_type_ids");
            Tensor labels = stored.get(prefix + "labels");
            List<Example> examples = new ArrayList<>();
            for (int row = 0; row < ids.size(0); row++) {
                int length = length(Tensors.longs(mask.select(0, row)));
                if (task == Task.SEQ_2_SEQ_LM) {
                    examples.add(answered(row, ints(ids.select(0, row), length), labels.select(0, row)));
                    continue;
                }
                examples.add(new Example(
                        row,
                        ints(ids.select(0, row), length),
                        types == null ? null : ints(types.select(0, row), length),
                        task == Task.SEQ_CLS
                                ? new Target.ClassId((int) Tensors.item(labels.select(0, row)))
                                : new Target.Tokens(ints(labels.select(0, row), length))));
            }
            batches.add(new TrainingBatch(examples));
        }
        return batches;
    }

    private static TrainingBatch images(Tensor pixels, Tensor labels) {
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < pixels.size(0); row++) {
            float[] values = Tensors.floats(pixels.select(0, row));
            Image image = new Image((int) pixels.size(1), (int) pixels.size(2), (int) pixels.size(3), () -> values);
            Target label = new Target.ClassId((int) Tensors.item(labels.select(0, row)));
            examples.add(new Example(row, new int[0], null, label, null, image));
        }
        return new TrainingBatch(examples);
    }

    /** The reference's decoder starts with padding and goes on with the labels. */
    private static Example answered(int row, int[] source, Tensor labels) {
        int[] stated = ints(labels, Integer.MAX_VALUE);
        int length = stated.length;
        while (length > 0 && stated[length - 1] == Target.NONE) {
            length--;
        }
        int[] answer = new int[length + 1];
        System.arraycopy(stated, 0, answer, 1, length);
        int[] expected = answer.clone();
        expected[0] = Target.NONE;
        return new Example(row, source, null, new Target.Tokens(expected), answer, null);
    }

    private static int length(long[] mask) {
        int length = (int) Arrays.stream(mask).sum();
        for (int i = 0; i < mask.length; i++) {
            if ((mask[i] == 1) != (i < length)) {
                throw new NotCoveredException("training batches that aren't padded on the right");
            }
        }
        return length;
    }

    private static int[] ints(Tensor values, int length) {
        return Arrays.stream(Tensors.longs(values))
                .limit(length)
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    Batch whole() {
        return Batch.of(examples, 0);
    }

    /** Splits the examples into that many batches of equal size. */
    List<Batch> parts(int count) {
        int rows = examples.size() / count;
        List<Batch> parts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            parts.add(Batch.of(examples.subList(i * rows, (i + 1) * rows), 0));
        }
        return parts;
    }
}
