package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.sites.Site;
import java.time.Duration;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class TargetModulesTest {
    private static TargetModules read(String json) {
        return TargetModules.read(Fields.of("adapter_config.json", Json.parse("adapter_config.json", json)));
    }

    private static List<String> llama(String json, String... savedWhole) {
        return read(json).match(Bases.load(Bases.LLAMA), List.of(savedWhole)).stream()
                .map(Site::name)
                .toList();
    }

    private static List<String> bert(String json) {
        return read(json).match(Bases.load(Bases.BERT), List.of("classifier", "score")).stream()
                .map(Site::name)
                .toList();
    }

    @Test
    void aNameIsAWholeNameOrItsEndAfterADot() {
        assertThat(llama("{\"target_modules\": [\"q_proj\"]}"))
                .containsExactly("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj");
        assertThat(llama("{\"target_modules\": [\"model.layers.1.mlp.up_proj\"]}"))
                .containsExactly("model.layers.1.mlp.up_proj");
        assertThatThrownBy(() -> llama("{\"target_modules\": [\"proj\"]}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("[proj] match no module")
                .hasMessageContaining("q_proj");
    }

    @Test
    void everyNameMustMatchSomething() {
        assertThatThrownBy(() -> llama("{\"target_modules\": [\"q_proj\", \"query\"]}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"query\" matches no module of llama-gqa");
    }

    @Test
    void aStringIsARegularExpressionForTheWholeName() {
        assertThat(llama("{\"target_modules\": \".*\\\\.0\\\\..*(q|v)_proj\"}"))
                .containsExactly("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj");
        assertThatThrownBy(() -> llama("{\"target_modules\": \"q_proj\"}")).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> llama("{\"target_modules\": \"(q\"}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is not a regular expression");
    }

    @Test
    void allLinearLeavesTheHeadOut() {
        assertThat(llama("{\"target_modules\": \"all-linear\"}"))
                .hasSize(14)
                .doesNotContain("lm_head", "model.embed_tokens");
        assertThat(bert("{\"target_modules\": \"all-linear\"}"))
                .hasSize(13)
                .contains("bert.pooler.dense")
                .doesNotContain("classifier");
    }

    @Test
    void nothingGivenMeansQueriesAndValues() {
        assertThat(bert("{}"))
                .containsExactly(
                        "bert.encoder.layer.0.attention.self.query",
                        "bert.encoder.layer.0.attention.self.value",
                        "bert.encoder.layer.1.attention.self.query",
                        "bert.encoder.layer.1.attention.self.value");
    }

    @Test
    void exclusionsAndLayersTakeAway() {
        assertThat(
                        llama(
                                "{\"target_modules\": \"all-linear\", \"exclude_modules\": [\"q_proj\", \"model.layers.1.mlp.up_proj\"]}"))
                .hasSize(11);
        assertThat(llama("{\"target_modules\": \"all-linear\", \"exclude_modules\": \".*mlp.*\"}"))
                .hasSize(8);
        assertThat(llama("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 1}"))
                .containsExactly("model.layers.1.self_attn.q_proj");
        assertThat(
                        llama(
                                "{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [0], \"layers_pattern\": \"layers\"}"))
                .containsExactly("model.layers.0.self_attn.q_proj");
        assertThatThrownBy(
                        () -> llama(
                                "{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [0], \"layers_pattern\": \"block\"}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("with layers_pattern [block]");
        for (int layer : new int[] {-1, 99}) {
            assertThatThrownBy(
                            () -> llama("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [" + layer + "]}"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("layers_to_transform [" + layer
                            + "] leave no module that target_modules choose; llama-gqa has 2 layers, 0 to 1");
        }
        assertThatThrownBy(() -> llama("{\"target_modules\": [\"nothing\"], \"layers_to_transform\": [99]}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("match no module");
    }

    @Test
    void modulesSavedWholeAreNoTargets() {
        assertThat(llama("{\"target_modules\": [\"q_proj\", \"lm_head\"]}", "lm_head"))
                .hasSize(2);
    }

    @Test
    void refusesFieldsThatWouldHaveNoEffect() {
        assertThatThrownBy(() -> read("{\"target_modules\": \".*q_proj\", \"layers_to_transform\": [0]}"))
                .hasMessageContaining("layers_to_transform");
        assertThatThrownBy(() -> read("{\"target_modules\": [\"q_proj\"], \"layers_pattern\": \"layers\"}"))
                .hasMessageContaining("layers_pattern");
        assertThatThrownBy(() -> read("{\"target_modules\": [1]}")).hasMessageContaining("target_modules");
        assertThatThrownBy(() -> read("{\"target_modules\": {}}")).hasMessageContaining("target_modules");
    }

    @Property(tries = 300)
    void anyExpressionEndsSoon(
            @ForAll
                    @StringLength(max = 24)
                    @Chars({'(', ')', '*', '+', '?', '.', '|', '[', ']', '\\', '{', '}', ','})
                    @CharRange(from = 'a', to = 'c')
                    @CharRange(from = '0', to = '2')
                    String expression) {
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(5), () -> {
            try {
                TargetModules.regex(expression).matches("a".repeat(30) + ".layers.0." + "ab".repeat(20), List.of());
            } catch (InputException refused) {
                assertThat(refused).hasMessageContaining("target_modules");
            }
        });
    }
}
