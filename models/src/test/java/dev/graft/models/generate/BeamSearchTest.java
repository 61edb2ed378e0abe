package dev.graft.models.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.sites.Hooks;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Beam search against what transformers writes, on decoders and encoder-decoders. */
class BeamSearchTest {
    private static final Map<String, Generator> GENERATORS = new HashMap<>();

    record Case(String base, int[] prompt, int end, JsonNode settings, int[] ids) {
        GenerateOptions options() {
            int beams = settings.get("num_beams").intValue();
            JsonNode early = settings.path("early_stopping");
            BeamOptions.EarlyStopping stopping = early.isBoolean() && early.booleanValue()
                    ? BeamOptions.EarlyStopping.YES
                    : early.isString() ? BeamOptions.EarlyStopping.NEVER : BeamOptions.EarlyStopping.NO;
            return GenerateOptions.DEFAULT
                    .withMaxNewTokens(10)
                    .withEndTokens(Set.of(end))
                    .withRepetitionPenalty(settings.path("repetition_penalty").asDouble(1))
                    .withNoRepeatNgramSize(settings.path("no_repeat_ngram_size").asInt(0))
                    .withBeams(new BeamOptions(
                            beams, settings.path("length_penalty").asDouble(1), stopping));
        }

        @Override
        public String toString() {
            return base + " " + settings;
        }
    }

    static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (JsonNode row : Json.read(Path.of("../parity/fixtures/beams.json"))) {
            cases.add(new Case(
                    row.get("base").stringValue(),
                    ints(row.get("prompt")),
                    row.get("end").intValue(),
                    row.get("settings"),
                    ints(row.get("ids"))));
        }
        return cases;
    }

    private static int[] ints(JsonNode list) {
        return list.valueStream().mapToInt(JsonNode::intValue).toArray();
    }

    private static Generator generator(String base) {
        return GENERATORS.computeIfAbsent(base, name -> new Generator(Base.load(Fixtures.folder(name)), null));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void writesWhatTheReferenceWrites(Case row) {
        List<GeneratedText> texts =
                generator(row.base()).generate(List.of(row.prompt()), row.options(), Hooks.NONE, TextListener.SILENT);

        assertThat(texts.get(0).ids()).isEqualTo(row.ids());
        boolean ended = row.ids()[row.ids().length - 1] == row.end();
        assertThat(texts.get(0).reason()).isEqualTo(ended ? FinishReason.END_TOKEN : FinishReason.LENGTH);
    }

    @ParameterizedTest
    @MethodSource("bases")
    void textsOfDifferentLengthsAreSearchedTogetherAsAlone(String base) {
        List<int[]> prompts = List.of(new int[] {5, 9, 12}, new int[] {30, 8, 6, 11, 4});
        GenerateOptions options = GenerateOptions.DEFAULT
                .withMaxNewTokens(7)
                .withEndTokens(Set.of())
                .withBeams(BeamOptions.of(3));

        List<GeneratedText> together = generator(base).generate(prompts, options, Hooks.NONE, TextListener.SILENT);

        for (int i = 0; i < prompts.size(); i++) {
            List<GeneratedText> alone =
                    generator(base).generate(List.of(prompts.get(i)), options, Hooks.NONE, TextListener.SILENT);
            assertThat(together.get(i).ids()).isEqualTo(alone.get(0).ids()).hasSize(7);
        }
    }

    static List<String> bases() {
        return List.of("t5", "bart", "llama-gqa");
    }

    @Test
    void refusesWhatBeamSearchCannotDo() {
        GenerateOptions beams = GenerateOptions.DEFAULT.withBeams(BeamOptions.of(2));
        assertThatThrownBy(() -> beams.withTemperature(0.7))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("takes no samples");
        assertThatThrownBy(() -> beams.withStop("."))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("stop texts");
        assertThatThrownBy(() -> new BeamOptions(0, 1, BeamOptions.EarlyStopping.NO))
                .isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new BeamOptions(1, 2, BeamOptions.EarlyStopping.NO))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_beams is 1");
        assertThatThrownBy(() -> BeamOptions.EarlyStopping.of("perhaps")).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> GenerateOptions.DEFAULT.withNoRepeatNgramSize(-1))
                .isInstanceOf(InputException.class);
    }
}
