package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Head;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Gives each point of a picture its class.
 *
 * <pre>{@code
 * Segmenter segmenter = new Segmenter(base, Selection.of(adapter).hooks());
 * int animal = segmenter.mask(Picture.read(Path.of("cat.jpg"))).value(120, 80, 0);
 * }</pre>
 */
public final class Segmenter {
    private final Base base;
    private final Head.Patches head;
    private final ImageProcessor processor;
    private final Hooks hooks;

    /** @throws InputException if the base has another head */
    public Segmenter(Base base, Hooks hooks) {
        if (!(base.head() instanceof Head.Patches patches)) {
            throw new InputException(
                    base.name() + " has a head for " + base.task() + ", expected one for SEMANTIC_SEG");
        }
        this.base = base;
        this.head = patches;
        this.processor = base.imageProcessor().whole();
        this.hooks = hooks;
    }

    /** A mask of the picture's size, whose channels have the numbers of the classes. */
    public Picture mask(Picture picture) {
        try (Inference mode = new Inference();
                Scope scope = new Scope()) {
            Tensor pixels = processor.pixels(List.of(picture));
            Tensor logits = base.logits(Inputs.images(pixels), Pass.inference(hooks));
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
