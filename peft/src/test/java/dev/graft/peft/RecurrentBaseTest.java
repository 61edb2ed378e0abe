package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a base that keeps a recurrent state can have grafted. */
class RecurrentBaseTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");

    @ParameterizedTest
    @ValueSource(strings = {"prefix-tuning", "p-tuning-v2", "adapterhub-prefix-tuning", "mam", "unipelt", "cartridge"})
    void aPrefixIsRefused(String method) {
        Base base = Base.load(BASES.resolve("rwkv"));
        assertThatThrownBy(() -> Adapter.create(base, Methods.named(method).defaults(), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("keeps a recurrent state, before which no keys and values can be put");
    }

    @Test
    void anAdaptionPromptIsRefused() {
        Base base = Base.load(BASES.resolve("rwkv"));
        assertThatThrownBy(() ->
                        Adapter.create(base, Methods.named("adaption-prompt").defaults(), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no attention layers, to whose answers something could be added");
    }

    /** One adapter per row, and each as it was saved. */
    @ParameterizedTest
    @CsvSource({
        "rwkv, lora", "rwkv, loreft", "rwkv, prompt-tuning", "rwkv, pfeiffer", "rwkv, full-fine-tuning",
        "nemotron-h, lora", "nemotron-h, loreft", "nemotron-h, prompt-tuning", "nemotron-h, pfeiffer",
                "nemotron-h, full-fine-tuning"
    })
    void rowsHaveAdaptersOfTheirOwn(String name, String method, @TempDir Path folder) {
        Base base = Base.load(BASES.resolve(name));
        Adapter adapter = Adapter.create(base, Methods.named(method).defaults(), 1);
        long[][] ids = {{5, 9, 12, 33, 7}, {7, 8, 21, 40, 3}};
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            adapter.trainable().values().forEach(value -> value.add_(new Scalar(0.02)));
            adapter.save(folder.resolve("adapter"));
            Adapter saved = Adapter.load(base, folder.resolve("adapter"));
            Tensor mixed = logits(base, Selection.rows(Selection.of(saved), Selection.BASE), ids);

            assertThat(difference(mixed.narrow(0, 0, 1), logits(base, Selection.of(adapter), ids[0])))
                    .isLessThan(1e-5);
            assertThat(difference(mixed.narrow(0, 1, 1), logits(base, Selection.BASE, ids[1])))
                    .isLessThan(1e-5);
            assertThat(difference(mixed.narrow(0, 0, 1), logits(base, Selection.BASE, ids[0])))
                    .isGreaterThan(1e-3);
        }
    }

    private static Tensor logits(Base base, Selection selection, long[]... ids) {
        Tensor logits = base.logits(Inputs.of(ids), ForwardPass.inference(selection.hooks()));
        return logits.narrow(1, logits.size(1) - ids[0].length, ids[0].length);
    }

    private static double difference(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }
}
