package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VbLoraTest extends MethodContract {
    private static VbLora of(int vectors, boolean savesOnlyTopk, double dropout) {
        return new VbLora(2, vectors, 8, 2, savesOnlyTopk, dropout, 0.5, 0.1, Bias.NONE, TargetModules.DEFAULT);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, of(12, false, 0), 12 * 8 + 4 * 2 * 12 * (4 + 4), false),
                new Case(Bases.LLAMA, of(12, false, 0), 12 * 8 + 2 * 2 * 12 * (4 + 4 + 4 + 2), false));
    }

    @Test
    void savesOnlyWhatIsMixedWhereItIsToldTo(@TempDir Path folder) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(300, true, 0), 1);
        adapter.save(folder.resolve("one"));
        Adapter loaded = Adapter.load(adapter.base(), folder.resolve("one"));
        loaded.save(folder.resolve("two"));
        ForwardPass pass = ForwardPass.inference(Selection.of(loaded).hooks());

        assertThat(folder.resolve("two/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("one/adapter_model.safetensors"));
        try (Safetensors file = Safetensors.open(folder.resolve("one/adapter_model.safetensors"))) {
            String key = "base_model.model.model.layers.0.self_attn.q_proj.vblora_logits_A_topk_";
            assertThat(file.info(key + "indices").shape()).containsExactly(2, 4, 2);
            assertThat(file.info(key + "indices").dtype().toString()).isEqualTo("I16");
            assertThat(file.info(key + "weights").shape()).containsExactly(2, 4, 1);
        }
        assertThat(Bases.difference(
                        adapter.base().logits(Bases.batch(), pass),
                        adapter.base()
                                .logits(
                                        Bases.batch(),
                                        ForwardPass.inference(
                                                Selection.of(adapter).hooks())),
                        Bases.batch().mask()))
                .isLessThan(1e-5);
        assertThatThrownBy(() -> loaded.base()
                        .logits(
                                Bases.batch(),
                                ForwardPass.training(Selection.of(loaded).hooks())))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("save_only_topk_weights")
                .hasMessageContaining("can't be trained on");
    }

    @Test
    void dropsInputsInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), of(12, false, 0.5))).isGreaterThan(1e-3);
    }

    @Test
    void refusesSizesThatDoNotFit() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), VbLora.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("vector_length is 64, expected a divisor of both sizes of model.layers.0");
        assertThatThrownBy(() -> VbLora.DEFAULT.with(b -> b.vectors(2).length(8).topk(3)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("topk 3 and num_vectors 2");
    }
}
