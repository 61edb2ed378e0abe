package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class MethodsCommandTest {

    static java.util.stream.Stream<String> names() {
        return Methods.all().stream().map(Method.Type::name);
    }

    @Test
    void theTableHasEveryMethodWithWhatItCan() {
        Cli run = Cli.run("methods");
        assertThat(run.code()).isZero();
        assertThat(names())
                .isNotEmpty()
                .allSatisfy(name -> assertThat(run.out()).contains("\n" + name + " "));
        assertThat(run.out())
                .containsPattern("lora +lora +delta +yes +yes +yes +encoder decoder +PEFT LORA\n")
                .containsPattern("prefix-tuning +prompt +prefix +no +yes +no +encoder decoder +PEFT PREFIX_TUNING\n");
    }

    @Test
    void theJsonSaysWhereAMethodActs() {
        Map<String, List<String>> actsOn = new LinkedHashMap<>();
        Cli.run("methods", "--json")
                .json()
                .get("methods")
                .valueStream()
                .filter(method -> !method.get("acts_on").isEmpty())
                .forEach(method -> actsOn.put(
                        method.get("name").stringValue(),
                        method.get("acts_on")
                                .valueStream()
                                .map(JsonNode::stringValue)
                                .toList()));
        assertThat(actsOn)
                .containsEntry("lora", List.of("convolution", "embedding", "linear"))
                .containsEntry("vera", List.of("linear"))
                .containsEntry("pfeiffer", List.of("block"))
                .containsEntry("loreft", List.of("layer"))
                .containsEntry("prompt-tuning", List.of("embedding"));
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyMethodHasAPageWithOptions(String name) {
        Cli run = Cli.run("methods", name);
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith(name + ": ").contains("graft train ");
    }

    @Test
    void optionsAreThoseThatChangeTheMethod() {
        Map<String, JsonNode> defaults = new LinkedHashMap<>();
        Cli.run("methods", "lora", "--json")
                .json()
                .get("options")
                .valueStream()
                .forEach(option -> defaults.put(option.get("name").stringValue(), option.get("default")));
        assertThat(defaults)
                .containsKeys("alpha", "bias", "exclude_modules", "layers_to_transform", "rank_pattern", "use_rslora")
                .doesNotContainKeys("megatron_core", "use_dora", "layer_replication");
        assertThat(defaults.get("r").intValue()).isEqualTo(16);
        assertThat(defaults.get("target_modules").stringValue()).isEqualTo("all-linear");
    }

    @Test
    void defaultsThatComeFromTheBaseAreNotNumbers() {
        JsonNode options = Cli.run("methods", "prefix-tuning", "--json").json().get("options");
        assertThat(options.valueStream().filter(o -> o.get("name").stringValue().equals("encoder_hidden_size")))
                .singleElement()
                .satisfies(option -> {
                    assertThat(option.get("default").isNull()).isTrue();
                    assertThat(option.get("default_from_base").booleanValue()).isTrue();
                });
    }

    @Test
    void aPageHasTheFormulaAndWhatOptionsMean() {
        String page = Cli.run("methods", "p-tuning").out();

        assertThat(page)
                .contains("W₃ relu(W₂ relu(W₁ E", "Adapter.create(base, PTuning.DEFAULT, 42);")
                .containsPattern("p-tuning\\.num_virtual_tokens  integer; default 20\n      T\n")
                .contains("p-tuning.encoder_reparameterization_type  MLP or LSTM; default \"MLP\"\n      the network\n")
                .containsPattern("p-tuning\\.pseudo_token_id  only where it is given; .*\n      id of the token")
                .doesNotContain("{@", "<p>", "@param");
        assertThat(Cli.run("methods", "prompt-tuning").out().replaceAll("\\s+", " "))
                .contains(
                        "RANDOM or SAMPLE_VOCAB or TEXT or CLASS_LABELS; default \"SAMPLE_VOCAB\", PEFT's \"RANDOM\"");
    }

    /** What the records of prompts say about their settings arrives at their options. */
    @ParameterizedTest
    @MethodSource("names")
    void everyOptionOfAPromptHasAMeaning(String name) {
        JsonNode page = Cli.run("methods", name, "--json").json();

        assertThat(page.get("documentation").stringValue()).isNotBlank();
        if (!page.get("family").stringValue().equals("prompt")) {
            return;
        }
        assertThat(page.get("options")
                        .valueStream()
                        .filter(option -> option.get("meaning").stringValue().isBlank())
                        .map(option -> option.get("name").stringValue()))
                .isEmpty();
    }

    @Test
    void anUnknownMethodIsRefused() {
        assertThat(Cli.run("methods", "dorra").err()).isEqualTo("there is no method \"dorra\"; did you mean dora?\n");
        Cli far = Cli.run("methods", "something");
        assertThat(far.code()).isEqualTo(2);
        assertThat(far.err()).contains("expected one of ", "bitfit, ", "dora, ");
    }
}
