package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Method;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class CartridgeTest extends MethodContract {
    private static final String TEXT = "12 40 7 33 21 5 18 60";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.LLAMA, new Cartridge(4, 1, null), 3 * 2 * 2 * 16, false),
                new Case(Bases.BERT, new Cartridge(4, 2, null), 2 * 2 * 2 * 32, false),
                new Case(Bases.TIED, new Cartridge(3, 0, null), 3 * 2 * 2 * 32, false));
    }

    /** A cache made of a text is what the model would have after reading it. */
    @Test
    void startsAsATextThatIsAlreadyRead() {
        Base base = Bases.load(Bases.NUMBERS);
        long[] ids = {12, 40, 7, 33, 21, 5};
        Adapter adapter = Adapter.create(base, new Cartridge(6, 1, TEXT), 1);
        long[][] question = {{9, 10, 11}};
        long[][] whole = {
            LongStream.concat(Arrays.stream(ids), Arrays.stream(question[0])).toArray()
        };
        Tensor read =
                base.logits(Inputs.of(whole), ForwardPass.inference(Hooks.NONE)).narrow(1, 6, 3);
        Tensor cached = base.logits(
                Inputs.of(question), ForwardPass.inference(Selection.of(adapter).hooks()));

        assertThat(Tensors.item(cached.sub(read).abs().amax())).isLessThan(1e-5);
    }

    @Test
    void startsAsPeftDoesWhereAFileSaysNothingElse() {
        Base base = Bases.load(Bases.LLAMA);
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("num_virtual_tokens", 50);
        Method read = new Cartridge.Kind().read(Fields.of("a file", json), base);

        assertThat(read).isEqualTo(new Cartridge(50, 1, null, PTuningV2.Init.NORMAL));
        assertThat(deviation(base, read)).isBetween(0.95, 1.05);
        assertThat(deviation(base, new Cartridge(50, 1, null))).isBetween(0.019, 0.021);
    }

    private static double deviation(Base base, Method method) {
        return Tensors.item(Adapter.create(base, method, 1)
                .trainable()
                .get("prompt_encoder.trainable_embedding")
                .detach()
                .std());
    }

    @Test
    void keepsItsFirstTokensFrozenAfterLoadingToo(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter.create(base, new Cartridge(4, 1, null), 1).save(folder.resolve("adapter"));
        Adapter loaded = Adapter.load(base, folder.resolve("adapter"));

        assertThat(folder.resolve("adapter/adapter_config.json")).content().doesNotContain("init_weights");
        assertThat(loaded.trainableCount()).isEqualTo(3 * 2 * 2 * 16);
        assertThat(loaded.trainable().keySet()).containsExactly("prompt_encoder.trainable_embedding");
    }

    @Test
    void refusesShortTextsAndNothingToTrain() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.NUMBERS), new Cartridge(9, 1, TEXT), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_text has 8 tokens, expected at least num_virtual_tokens 9");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), new Cartridge(4, 1, "good or bad or"), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_text needs a causal model");
        assertThatThrownBy(() -> new Cartridge(4, 5, null)).hasMessageContaining("num_frozen_tokens is 5");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), new Cartridge(4, 4, null), 1))
                .hasMessageContaining("nothing would be trained");
    }
}
