package dev.graft.run.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.BaseMismatchException;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.peft.methods.mixture.XLora;
import dev.graft.peft.methods.prompt.PTuningV2;
import dev.graft.run.config.RunConfig.Compat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MethodFactoryTest {
    private static final Base LLAMA = ProbeBase.of(2, 256);

    private static AdapterHubLora.Init start(Map<String, Object> options) {
        Method method = MethodFactory.of("adapterhub-lora", options, Compat.GRAFT, LLAMA);
        return ((AdapterHubLora) method).init();
    }

    /** How a matrix starts depends on what else is given. */
    @Test
    void anOptionThatIsNotGivenFollowsTheOthers() {
        Map<String, Object> scale = Map.of("composition_mode", "scale", "r", 1, "alpha", 1);

        assertThat(start(Map.of())).isEqualTo(AdapterHubLora.Init.LORA);
        assertThat(start(Map.of("vera_d", 0.1))).isEqualTo(AdapterHubLora.Init.VERA);
        assertThat(start(scale)).isEqualTo(AdapterHubLora.Init.IA3);
        assertThat(start(Map.of("init_weights", "bert"))).isEqualTo(AdapterHubLora.Init.BERT);
    }

    @Test
    void whatAFileMustHaveIsThereInANewAdapter() {
        Method method = MethodFactory.of("xlora", Map.of(), Compat.GRAFT, LLAMA);

        assertThat(((XLora) method).experts()).hasSize(2);
    }

    @Test
    void aStartOfPeftIsOneThatPeftHas() {
        Method method = MethodFactory.of("p-tuning-v2", Map.of("num_virtual_tokens", 3), Compat.PEFT, LLAMA);

        assertThat(((PTuningV2) method).init()).isEqualTo(PTuningV2.Init.NORMAL);
        assertThatThrownBy(() -> MethodFactory.of("p-tuning-v2", Map.of("init_weights", "tiny"), Compat.GRAFT, LLAMA))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_weights is \"tiny\", expected \"small\", \"zero\" or null");
    }

    @Test
    void whatNoMethodHasIsRefusedWithoutABaseAndItsDefaultsAreNot() {
        for (Method.Type type : Methods.all()) {
            check(type.name(), Map.of());
            assertThatThrownBy(() -> MethodFactory.check(type.name(), Map.of("no_such_option", 1), Compat.GRAFT))
                    .as(type.name())
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("no_such_option");
        }
    }

    /** Each is wrong for the small models on which options are tried, and right for some other base. */
    @Test
    void whatDependsOnTheBaseIsLeftToIt() {
        check("lora", Map.of("target_modules", List.of("Wqkv")));
        check("lora", Map.of("target_modules", List.of("q_proj"), "layers", "20-25"));
        check("lora", Map.of("target_modules", "gate_up"));
        check("prefix-tuning", Map.of("num_virtual_tokens", 20, "token_dim", 576, "num_layers", 30));
        check("prompt-tuning", Map.of("num_virtual_tokens", 20, "num_transformer_submodules", 2));
        check("pfeiffer", Map.of("leave_out", List.of(7)));
        check("cpt", Map.of("examples", List.of(List.of("a", "b"))));
        check("xlora", Map.of("hidden_size", 576));
        assertThatThrownBy(() -> MethodFactory.of("xlora", Map.of("hidden_size", 576), Compat.GRAFT, LLAMA))
                .isInstanceOf(BaseMismatchException.class)
                .hasMessageContaining("hidden_size");
    }

    @Test
    void anAdapterInAFolderMayFitAnotherBaseUnlessThereIsNone() {
        String folder = "../parity/fixtures/adapters/llama-gqa/lora";

        check("xlora", Map.of("adapters", Map.of("0", folder, "1", folder)));
        assertThatThrownBy(() -> MethodFactory.check(
                        "xlora", Map.of("adapters", Map.of("0", "no/such/folder", "1", folder)), Compat.GRAFT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no/such/folder");
    }

    private static void check(String method, Map<String, Object> options) {
        assertThatCode(() -> MethodFactory.check(method, options, Compat.GRAFT))
                .as(method)
                .doesNotThrowAnyException();
    }
}
