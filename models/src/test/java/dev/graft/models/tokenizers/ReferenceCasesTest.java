package dev.graft.models.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Every tokenisation that the reference library made of the five kinds of tokenizer. */
class ReferenceCasesTest {

    private static final Path FIXTURES = Path.of("../parity/fixtures/tokens");

    private static Tokenizer tokenizer(String name) {
        return Tokenizers.load(FIXTURES.resolve(name));
    }

    private static JsonNode cases(String name) {
        return Json.read(FIXTURES.resolve(name).resolve("cases.json"));
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    private static List<String> strings(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonNode::stringValue)
                .toList();
    }

    private static int[][] offsets(Encoding e) {
        return IntStream.range(0, e.length())
                .mapToObj(i -> new int[] {e.starts()[i], e.ends()[i]})
                .toArray(int[][]::new);
    }

    private static int[][] offsets(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(ReferenceCasesTest::ints)
                .toArray(int[][]::new);
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void singleTextsGiveTheIdsTokensOffsetsAndTextsOfTheReference(String name) {
        Tokenizer tokenizer = tokenizer(name);
        JsonNode cases = cases(name);
        assertThat(tokenizer.vocabSize()).isEqualTo(cases.path("vocabulary").intValue());
        assertThat(cases.path("single")).hasSizeGreaterThan(90);
        for (JsonNode c : cases.path("single")) {
            String text = c.path("text").stringValue();
            Encoding e = tokenizer.encode(text, EncodeOptions.DEFAULT);
            int[] ids = ints(c.path("ids"));
            assertThat(e.ids()).as("ids of %s", text).isEqualTo(ids);
            assertThat(e.attentionMask()).as("mask of %s", text).isEqualTo(ints(c.path("attention_mask")));
            assertThat(e.tokens()).as("tokens of %s", text).isEqualTo(strings(c.path("tokens")));
            assertThat(e.specialTokensMask()).as("special of %s", text).isEqualTo(ints(c.path("special_tokens_mask")));
            assertThat(offsets(e)).as("offsets of %s", text).isDeepEqualTo(offsets(c.path("offsets_in_code_points")));
            if (c.has("token_type_ids")) {
                assertThat(e.typeIds()).as("types of %s", text).isEqualTo(ints(c.path("token_type_ids")));
            }
            assertThat(tokenizer
                            .encode(text, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                            .ids())
                    .as("bare ids of %s", text)
                    .isEqualTo(ints(c.path("ids_without_special")));
            assertThat(tokenizer.decode(ids, false))
                    .as("decoded %s", text)
                    .isEqualTo(c.path("decoded").stringValue());
            assertThat(tokenizer.decode(ids, true))
                    .as("decoded without special tokens %s", text)
                    .isEqualTo(c.path("decoded_skip_special").stringValue());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void pairsGiveTheIdsAndSegmentsOfTheReferenceWholeAndCut(String name) {
        Tokenizer tokenizer = tokenizer(name);
        for (JsonNode c : cases(name).path("pairs")) {
            TextPair pair = new TextPair(c.path("a").stringValue(), c.path("b").stringValue());
            Encoding whole = tokenizer.encode(pair, EncodeOptions.DEFAULT);
            assertThat(whole.ids()).as("%s", pair).isEqualTo(ints(c.path("ids")));
            assertThat(whole.typeIds()).as("%s", pair).isEqualTo(ints(c.path("token_type_ids")));
            for (Truncation.Strategy strategy : Truncation.Strategy.values()) {
                EncodeOptions options =
                        EncodeOptions.DEFAULT.withTruncation(Truncation.to(12).withStrategy(strategy));
                JsonNode expected = c.path(strategy.name().toLowerCase(Locale.ROOT) + "_12");
                if (expected.has("error")) {
                    assertThatThrownBy(() -> tokenizer.encode(pair, options))
                            .as("%s of %s", strategy, pair)
                            .isInstanceOf(InputException.class)
                            .hasMessageContaining(strategy.name());
                } else {
                    Encoding cut = tokenizer.encode(pair, options);
                    assertThat(cut.ids()).as("%s of %s", strategy, pair).isEqualTo(ints(expected.path("ids")));
                    assertThat(cut.typeIds())
                            .as("%s of %s", strategy, pair)
                            .isEqualTo(ints(expected.path("token_type_ids")));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void truncationKeepsTheTokensOfTheReferenceOnBothSides(String name) {
        Tokenizer tokenizer = tokenizer(name);
        for (JsonNode c : cases(name).path("truncated")) {
            Truncation truncation = Truncation.to(c.path("max_length").intValue());
            String text = c.path("text").stringValue();
            assertThat(tokenizer
                            .encode(text, EncodeOptions.DEFAULT.withTruncation(truncation))
                            .ids())
                    .as("%s to %d", text, truncation.maxLength())
                    .isEqualTo(ints(c.path("ids")));
            assertThat(tokenizer
                            .encode(text, EncodeOptions.DEFAULT.withTruncation(truncation.withSide(Side.LEFT)))
                            .ids())
                    .as("%s to %d, left", text, truncation.maxLength())
                    .isEqualTo(ints(c.path("ids_left")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void windowsOverlapByTheStrideAndKeepTheOffsetsOfTheWholeText(String name) {
        JsonNode c = cases(name).path("windows");
        List<Encoding> windows = tokenizer(name)
                .windows(
                        c.path("text").stringValue(),
                        EncodeOptions.DEFAULT.withTruncation(
                                Truncation.to(c.path("max_length").intValue())
                                        .withStride(c.path("stride").intValue())));
        assertThat(windows).hasSize(c.path("ids").size());
        for (int i = 0; i < windows.size(); i++) {
            assertThat(windows.get(i).ids()).isEqualTo(ints(c.path("ids").path(i)));
            assertThat(offsets(windows.get(i)))
                    .isDeepEqualTo(offsets(c.path("offsets_in_code_points").path(i)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void batchesArePaddedAsTheReferencePadsThem(String name) {
        Tokenizer tokenizer = tokenizer(name);
        for (JsonNode c : cases(name).path("padded")) {
            JsonNode wanted = c.path("options");
            EncodeOptions options = EncodeOptions.DEFAULT;
            Padding padding = Padding.LONGEST.at(c.path("side").stringValue().equals("left") ? Side.LEFT : Side.RIGHT);
            if (wanted.has("max_length")) {
                int length = wanted.path("max_length").intValue();
                options = options.withTruncation(length);
                padding = new Padding(length, 1, padding.side());
            }
            if (wanted.has("pad_to_multiple_of")) {
                padding = padding.roundedTo(wanted.path("pad_to_multiple_of").intValue());
            }
            List<Encoding> batch = tokenizer.encodeAll(strings(c.path("texts")), options.withPadding(padding));
            List<int[]> ids = new ArrayList<>();
            batch.forEach(e -> ids.add(e.ids()));
            assertThat(ids.toArray(int[][]::new)).isDeepEqualTo(offsets(c.path("ids")));
            for (int i = 0; i < batch.size(); i++) {
                assertThat(batch.get(i).attentionMask())
                        .isEqualTo(ints(c.path("attention_mask").path(i)));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void randomIdsDecodeToTheTextOfTheReference(String name) {
        Tokenizer tokenizer = tokenizer(name);
        for (JsonNode c : cases(name).path("decode")) {
            int[] ids = ints(c.path("ids"));
            assertThat(tokenizer.decode(ids, false)).isEqualTo(c.path("decoded").stringValue());
            assertThat(tokenizer.decode(ids, true))
                    .isEqualTo(c.path("decoded_skip_special").stringValue());
        }
    }
}
