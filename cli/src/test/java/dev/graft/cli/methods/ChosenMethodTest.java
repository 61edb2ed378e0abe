package dev.graft.cli.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.cli.config.RunConfig.Compat;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Method;
import dev.graft.peft.methods.AdapterHubLora;
import dev.graft.peft.methods.PTuningV2;
import dev.graft.peft.methods.XLora;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ChosenMethodTest {
    private static final Base LLAMA = ProbeBase.of(2, 256);

    private static AdapterHubLora.Start start(Map<String, Object> options) {
        Method method = ChosenMethod.of("adapterhub-lora", options, Compat.GRAFT, LLAMA);
        return ((AdapterHubLora) method).start();
    }

    /** How a matrix starts depends on what else is given. */
    @Test
    void anOptionThatIsNotGivenFollowsTheOthers() {
        Map<String, Object> scale = Map.of("composition_mode", "scale", "r", 1, "alpha", 1);

        assertThat(start(Map.of())).isEqualTo(AdapterHubLora.Start.LORA);
        assertThat(start(Map.of("vera_d", 0.1))).isEqualTo(AdapterHubLora.Start.VERA);
        assertThat(start(scale)).isEqualTo(AdapterHubLora.Start.IA3);
        assertThat(start(Map.of("init_weights", "bert"))).isEqualTo(AdapterHubLora.Start.BERT);
    }

    @Test
    void whatAFileMustHaveIsThereInANewAdapter() {
        Method method = ChosenMethod.of("xlora", Map.of(), Compat.GRAFT, LLAMA);

        assertThat(((XLora) method).experts()).hasSize(2);
    }

    @Test
    void aStartOfPeftIsOneThatPeftHas() {
        Method method = ChosenMethod.of("p-tuning-v2", Map.of("num_virtual_tokens", 3), Compat.PEFT, LLAMA);

        assertThat(((PTuningV2) method).start()).isEqualTo(PTuningV2.Start.NORMAL);
        assertThatThrownBy(() -> ChosenMethod.of("p-tuning-v2", Map.of("init_weights", "tiny"), Compat.GRAFT, LLAMA))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_weights is \"tiny\", expected \"small\", \"zero\" or null");
    }
}
