package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Semantic segmentation: predicts the class of each pixel of a picture.
 *
 * <pre>{@code
 * Segmenter segmenter = new Segmenter(base, Selection.of(adapter).hooks());
 * int animal = segmenter.mask(Picture.read(Path.of("cat.jpg"))).value(120, 80, 0);
 * }</pre>
 */
public final class Segmenter {
    private final Base base;
    private final Head.PerPatch head;
    private final ImageProcessor processor;
    private final Hooks hooks;

    /**
     * Creates a segmenter.
     *
     * @throws InputException if the base has another head
     */
    public Segmenter(Base base, Hooks hooks) {
        if (!(base.head() instanceof Head.PerPatch patches)) {
            throw new InputException(
                    base.name() + " has a head for " + base.task() + ", expected one for SEMANTIC_SEG");
        }
        this.base = base;
        this.head = patches;
        this.processor = base.imageProcessor().whole();
        this.hooks = hooks;
    }

    /** Returns a mask of the picture's size with the class number of each pixel in its channels. */
    public Picture mask(Picture picture) {
        try (InferenceScope mode = new InferenceScope();
                Scope scope = new Scope()) {
            Tensor pixels = processor.pixels(List.of(picture));
            Tensor logits = base.logits(Inputs.images(pixels), ForwardPass.inference(hooks));
            Tensor scores = head.spread(logits, pixels.size(2), picture.height(), picture.width());
            long[] chosen = Tensors.longs(scores.argmax(new LongOptional(1), false));
            byte[] values = new byte[chosen.length];
            for (int i = 0; i < values.length; i++) {
                values[i] = (byte) chosen[i];
            }
            return Picture.grey(picture.width(), picture.height(), values);
        }
    }
}
