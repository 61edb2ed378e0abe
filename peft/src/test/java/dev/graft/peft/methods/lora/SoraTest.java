package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SoraTest extends MethodContract {
    private static final LoraConfig QUERY =
            LoraConfig.DEFAULT.withR(6).withAlpha(12).withTargets(TargetModules.names("q_proj"));
    private static final String Q0 = "model.layers.0.self_attn.q_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new Sora(LoraConfig.DEFAULT.withR(4).withAlpha(8), 0.4), 4 * (960 + 13), true),
                new Case(Bases.LLAMA, new Sora(QUERY, 0.1), 6 * 2 * (64 + 1), true));
    }

    private static Adapter gated(float... gate) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new Sora(QUERY, 1), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.value(Q0 + ".lora_gate").copy_(Tensors.of(gate, gate.length));
        }
        return adapter;
    }

    /** The numbers of the soft threshold, which the paper's code gets wrong where |g| is below twice the threshold. */
    @Test
    void theGateTakesAProximalStep() {
        Adapter adapter = gated(0.05f, 0.12f, 0.15f, -0.19f, 0.21f, 0.3f);
        adapter.method().trainingRule(adapter, new TrainingRule.Run(1, 1, 1, 1)).afterUpdate(0, 0.1);

        assertThat(Tensors.floats(adapter.value(Q0 + ".lora_gate")))
                .containsExactly(new float[] {0, 0.02f, 0.05f, -0.09f, 0.11f, 0.2f}, offset(1e-7f));
    }

    @Test
    void savesALoraOfTheRanksThatAreLeft(@TempDir Path folder) {
        Adapter adapter = gated(0, 1, 0, -2, 0, 0);
        adapter.save(folder.resolve("saved"));
        Adapter loaded = Adapter.load(adapter.base(), folder.resolve("saved"));

        assertThat(Tensors.shape(loaded.value(Q0 + ".lora_A.weight"))).containsExactly(2, 32);
        Lora lora = (Lora) loaded.method();
        assertThat(lora.config().rank(Q0)).isEqualTo(2);
        assertThat(lora.config().scaling(Q0)).isEqualTo(2);
        assertThat(lora.config().rank(Q0.replace("0", "1"))).isEqualTo(6);
        assertThat(lora.config().scaling(Q0.replace("0", "1"))).isEqualTo(2);
    }

    @Test
    void aModuleThatNeedsNoRankKeepsOneThatDoesNothing(@TempDir Path folder) {
        Adapter adapter = gated(0, 0, 0, 0, 0, 0);
        adapter.save(folder.resolve("saved"));
        Adapter loaded = Adapter.load(adapter.base(), folder.resolve("saved"));

        assertThat(Tensors.shape(loaded.value(Q0 + ".lora_A.weight"))).containsExactly(1, 32);
        assertThat(Tensors.item(loaded.value(Q0 + ".lora_A.weight").abs().amax()))
                .isZero();
    }

    @Test
    void refusesWhatItDoesNotHave() {
        assertThatThrownBy(() -> new Sora(QUERY, -1))
                .isInstanceOf(InputException.class)
                .hasMessage("sora_lambda is -1.0, expected 0 or more");
        assertThatThrownBy(() -> new Sora(QUERY.withInit(LoraInits.of("olora")), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_lora_weights is olora");
    }
}
