package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ViT and CLIP; their numbers are compared with the reference's by the parity cases. */
class ImageModelsTest {
    private static final Base VIT = Base.load(Fixtures.folder("vit"));
    private static final Base CLIP = Base.load(Fixtures.folder("clip"));

    private static Tensor images(int count, int side) {
        return Rng.of(1, "images").normal(0, 1, count, 3, side, side);
    }

    @Test
    void aClassifierHasOneRowForAnImage() {
        Tensor logits = VIT.logits(Inputs.images(images(2, 16)), ForwardPass.inference(Hooks.NONE));

        assertThat(Tensors.shape(logits)).containsExactly(2, 3);
        assertThat(VIT.task()).isEqualTo(Task.IMAGE_CLS);
        assertThat(VIT.site(Convolution.class, "vit.embeddings.patch_embeddings.projection"))
                .isNotNull();
    }

    @Test
    void imagesOfAnotherSizeAreRefused() {
        assertThatThrownBy(() -> VIT.logits(Inputs.images(images(2, 20)), ForwardPass.inference(Hooks.NONE)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("[2, 3, 20, 20]")
                .hasMessageContaining("16, 16");
    }

    @Test
    void textsWithoutImagesAreRefused() {
        assertThatThrownBy(() -> VIT.logits(Inputs.of(new long[][] {{1, 2}}), ForwardPass.inference(Hooks.NONE)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pixels");
    }

    @Test
    void isSavedUnderTheNamesThatFilesHave(@TempDir Path folder) {
        VIT.save(folder.resolve("saved"));
        try (TensorSource before = Safetensors.open(Fixtures.folder("vit").resolve("model.safetensors"));
                TensorSource after = Safetensors.open(folder.resolve("saved/model.safetensors"))) {
            assertThat(after.names()).isEqualTo(before.names());
        }
        Base again = Base.load(folder.resolve("saved"));
        Inputs in = Inputs.images(images(1, 16));

        assertThat(again.newParameters()).isEqualTo(Set.of());
        assertThat(Tensors.floats(again.logits(in, ForwardPass.inference(Hooks.NONE))))
                .isEqualTo(Tensors.floats(VIT.logits(in, ForwardPass.inference(Hooks.NONE))));
    }

    @Test
    void textsAndImagesAreComparedByTheirCosine() {
        Inputs in = Inputs.of(new long[][] {{3, 8, 63, 0}, {5, 63, 0, 0}, {9, 9, 4, 63}})
                .withPixels(images(2, 16));
        HiddenStates hidden = CLIP.forward(in, ForwardPass.inference(Hooks.NONE));
        Tensor logits = CLIP.logits(hidden, ForwardPass.inference(Hooks.NONE));

        assertThat(Tensors.shape(logits)).containsExactly(2, 3);
        double scale = Math.exp(Tensors.doubles(CLIP.parameters().get("logit_scale"))[0]);
        for (double value : Tensors.doubles(logits)) {
            assertThat(Math.abs(value)).isLessThanOrEqualTo(scale * 1.0001);
        }
    }
}
