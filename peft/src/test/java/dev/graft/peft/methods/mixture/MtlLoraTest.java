package dev.graft.peft.methods.mixture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TaskHooks;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MtlLoraTest extends MethodContract {
    private static AdapterHubLora lora(List<String> attention, boolean rest) {
        return AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .attention(attention)
                .intermediate(rest)
                .output(rest)
                .build();
    }

    @Override
    protected List<Case> cases() {
        AdapterHubLora some = lora(List.of("q", "v"), false);
        return List.of(
                new Case(Bases.BERT, new MtlLora(some, 2, 1, 3), 2 * 2 * (4 * (32 + 2 * 32) + 3 * (4 + 2)), true),
                new Case(
                        Bases.BERT,
                        new MtlLora(lora(List.of("k"), true), 1, 0.5, 1),
                        2 * (4 * 64 + 2 * 4 * 96 + 3 * 5),
                        true),
                new Case(
                        Bases.LLAMA,
                        new MtlLora(some, 3, 1, 2),
                        2 * (4 * (32 + 3 * 32) + 4 * (32 + 3 * 16) + 2 * 2 * (4 + 3)),
                        true));
    }

    private static Adapter moved(Base base, MtlLora method) {
        Adapter adapter = Adapter.create(base, method, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(1, key).normal(0, 0.3, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor logits(Adapter adapter, Selection selection) {
        return adapter.base().logits(Bases.batch(), ForwardPass.inference(selection.hooks()));
    }

    /** AdapterHub's folders are of one task each. */
    @Test
    void becomesAFolderForEachTaskAndOneAdapterAgain(@TempDir Path folder) {
        Base base = Bases.load(Bases.BERT);
        Adapter joint = moved(base, MtlLora.DEFAULT.withTasks(2));
        Tensor first = logits(joint, Selection.of(joint.task(0)));
        Tensor second = logits(joint, Selection.of(joint.task(1)));
        MtlLora.alone(joint, 0).save(folder.resolve("a"));
        MtlLora.alone(joint, 1).save(folder.resolve("b"));
        Adapter a = Adapter.load(base, folder.resolve("a"));
        Adapter b = Adapter.load(base, folder.resolve("b"));
        Adapter again = MtlLora.join(List.of(a, b));

        assertThat(Json.read(folder.resolve("a/adapter_config.json"))
                        .path("config")
                        .has("tasks"))
                .isFalse();
        assertThat(first.sub(second).abs().amax().item_float()).isGreaterThan(0.01f);
        assertThat(logits(a, Selection.of(a)).allclose(first)).isTrue();
        assertThat(logits(b, Selection.of(b)).allclose(second)).isTrue();
        Tensor rows = base.logits(
                Bases.batch(), ForwardPass.inference(TaskHooks.of(again).forTasks(new int[] {0, 1, 1, 0, 1})));
        assertThat(rows.select(0, 3).allclose(first.select(0, 3), 1e-4, 1e-5, false))
                .isTrue();
        assertThat(rows.select(0, 4).allclose(second.select(0, 4), 1e-4, 1e-5, false))
                .isTrue();
    }

    @Test
    void refusesAdaptersThatDoNotShare() {
        Base base = Bases.load(Bases.BERT);
        Adapter a = Adapter.create(base, MtlLora.DEFAULT, 1);
        Adapter b = Adapter.create(base, MtlLora.DEFAULT, 2);

        assertThatThrownBy(() -> MtlLora.join(List.of(a, b)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("don't share");
        assertThatThrownBy(() -> MtlLora.join(List.of(a, Adapter.create(base, Pfeiffer.DEFAULT, 1))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("one configuration");
        assertThatThrownBy(() -> MtlLora.join(List.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no adapter to join");
        assertThatThrownBy(() -> MtlLora.alone(a, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no task 1");
    }

    @Test
    void startsAsItIsTold() {
        Base base = Bases.load(Bases.BERT);
        AdapterHubLora small = AdapterHubLora.DEFAULT.withInit(AdapterHubLora.Init.BERT);
        Adapter adapter = Adapter.create(base, new MtlLora(small, 2, 1, 1), 1);

        Tensor b = adapter.value("bert.encoder.layer.0.attention.self.query.loras.*.lora_B");
        assertThat(Tensors.item(b.std())).isCloseTo(0.02, withinPercentage(20));
    }

    /** Optimisers decay matrices alone, by default. */
    @Test
    void keepsWhatTasksHaveInVectors() {
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), MtlLora.DEFAULT.withTasks(3), 1);

        assertThat(adapter.trainable()).allSatisfy((key, value) -> {
            if (key.endsWith(".values") || key.endsWith(".weights")) {
                assertThat(value.dim()).as(key).isEqualTo(1);
            }
        });
    }

    @Test
    void refusesWhatIsNoPlainProduct() {
        AdapterHubLora gated = AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .attention(List.of("q"))
                .gated(true)
                .build();

        assertThatThrownBy(() -> new MtlLora(gated, 2, 0.05, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use_gating");
        assertThatThrownBy(() -> new MtlLora(AdapterHubLora.DEFAULT, 2, 0, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("weights_sharpness is 0");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.GPT2), MtlLora.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no MTL-LoRA");
    }
}
