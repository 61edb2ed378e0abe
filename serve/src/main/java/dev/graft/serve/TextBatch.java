package dev.graft.serve;

import dev.graft.models.Backbone;
import dev.graft.models.Inputs;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Texts that one pass reads whole, padded behind. What a text gets is what it gets alone but for rounding, since the rows of a product are
 * more.
 *
 * @param places where each text stands among all
 * @param texts of nearly one length
 */
public record TextBatch(List<Integer> places, List<Encoding> texts) {
    /** The most texts of a pass. */
    private static final int MOST = 32;

    /** The most tokens of a pass with several texts, padding included. */
    private static final int TOKENS = 1024;

    /** Shares texts out, those of nearly one length together, so that little is padded. A text whose reading depends on its length is alone. */
    public static List<TextBatch> of(List<Encoding> texts, Backbone backbone) {
        List<TextBatch> batches = new ArrayList<>();
        List<Integer> places = new ArrayList<>();
        List<Integer> sorted = IntStream.range(0, texts.size())
                .boxed()
                .sorted(Comparator.comparing(i -> texts.get(i).length()))
                .toList();
        for (int i : sorted) {
            int length = texts.get(i).length();
            int rows = places.size() + 1;
            if (rows > MOST || rows * length > TOKENS || length > backbone.steadyPositions()) {
                add(batches, places, texts);
            }
            places.add(i);
        }
        add(batches, places, texts);
        return batches;
    }

    private static void add(List<TextBatch> batches, List<Integer> places, List<Encoding> texts) {
        if (!places.isEmpty()) {
            batches.add(new TextBatch(
                    List.copyOf(places), places.stream().map(texts::get).toList()));
            places.clear();
        }
    }

    /** The texts for a base. */
    public Inputs inputs() {
        int width = texts.stream().mapToInt(Encoding::length).max().orElse(0);
        long[] ids = new long[texts.size() * width];
        long[] types = new long[ids.length];
        long[] mask = new long[ids.length];
        for (int row = 0; row < texts.size(); row++) {
            Encoding text = texts.get(row);
            for (int i = 0; i < text.length(); i++) {
                ids[row * width + i] = text.ids()[i];
                types[row * width + i] = text.typeIds()[i];
                mask[row * width + i] = 1;
            }
        }
        return new Inputs(tensor(ids, width), tensor(mask, width), tensor(types, width), null);
    }

    private Tensor tensor(long[] values, int width) {
        return Tensors.of(values, texts.size(), width);
    }
}
