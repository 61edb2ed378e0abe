package dev.graft.models.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** What is read beside the tokens themselves, and what is refused. */
class TokenizersTest {

    private static final Path FIXTURES = Path.of("../parity/fixtures/tokens");

    @TempDir
    private Path folder;

    private Tokenizer changed(String name, Consumer<ObjectNode> tokenizer, Consumer<ObjectNode> config)
            throws IOException {
        for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
            ObjectNode json = (ObjectNode) Json.read(FIXTURES.resolve(name).resolve(file));
            (file.equals("tokenizer.json") ? tokenizer : config).accept(json);
            Files.writeString(folder.resolve(file), Json.compact(json));
        }
        return Tokenizers.load(folder);
    }

    private static void same(ObjectNode json) {}

    @Test
    void specialTokensHaveTheirRolesIdsAndTexts() {
        SpecialTokens bert = Tokenizers.load(FIXTURES.resolve("wordpiece")).specialTokens();
        assertThat(bert.require(SpecialTokens.TokenRole.CLS)).isEqualTo(new SpecialTokens.SpecialToken("[CLS]", 2));
        assertThat(bert.id(SpecialTokens.TokenRole.MASK)).hasValue(4);
        assertThat(bert.get(SpecialTokens.TokenRole.BOS)).isEmpty();
        assertThatThrownBy(() -> bert.require(SpecialTokens.TokenRole.BOS))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("wordpiece")
                .hasMessageContaining("bos_token");
        SpecialTokens qwen = Tokenizers.load(FIXTURES.resolve("splitbpe")).specialTokens();
        assertThat(qwen.id(SpecialTokens.TokenRole.EOS)).hasValue(2);
        assertThat(qwen.additional())
                .extracting(SpecialTokens.SpecialToken::content)
                .contains("<|im_start|>");
    }

    @Test
    void tokensAndIdsAreLookedUpBothWays() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("unigram"));
        assertThat(tokenizer.tokenId("<extra_id_1>")).hasValue(115);
        assertThat(tokenizer.token(115)).isEqualTo("<extra_id_1>");
        assertThat(tokenizer.token(116)).isNull();
        assertThat(tokenizer.tokenId("no such token")).isEmpty();
        assertThat(tokenizer.idLimit()).isEqualTo(116);
        assertThat(tokenizer.isSpecial(115)).isTrue();
        assertThat(tokenizer.isSpecial(20)).isFalse();
        assertThat(tokenizer.modelMaxLength()).isEqualTo(OptionalInt.of(64));
        assertThat(tokenizer.addedAround()).containsExactly(new SpecialTokens.SpecialToken("</s>", 1));
    }

    @Test
    void aVocabularyLargerThanTheEmbeddingsIsRefused() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("unigram"));
        tokenizer.requireFits(116, "model.safetensors");
        assertThatThrownBy(() -> tokenizer.requireFits(115, "model.safetensors"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("115 (<extra_id_1>)")
                .hasMessageContaining("model.safetensors has 115 embedding rows");
    }

    @Test
    void aBertVocabularyFileMakesTheSameTokenizer() throws IOException {
        Tokenizer reference = Tokenizers.load(FIXTURES.resolve("wordpiece"));
        TreeMap<Integer, String> lines = new TreeMap<>();
        IntStream.range(0, reference.vocabSize()).forEach(id -> lines.put(id, reference.token(id)));
        Files.writeString(folder.resolve("vocab.txt"), String.join("\n", lines.values()) + "\n");
        Tokenizer tokenizer = Tokenizers.load(folder);
        List<String> texts = new ArrayList<>();
        Json.read(FIXTURES.resolve("wordpiece/cases.json"))
                .path("single")
                .forEach(c -> texts.add(c.path("text").stringValue()));
        for (String text : texts) {
            assertThat(tokenizer.encode(text, EncodeOptions.DEFAULT).ids())
                    .as(text)
                    .isEqualTo(reference.encode(text, EncodeOptions.DEFAULT).ids());
        }
        TextPair pair = new TextPair("a branch", "the roof");
        assertThat(tokenizer.encode(pair, EncodeOptions.DEFAULT).typeIds())
                .isEqualTo(reference.encode(pair, EncodeOptions.DEFAULT).typeIds());
        assertThat(tokenizer.decode(new int[] {2, 43, 10, 85, 19, 3}, true)).isEqualTo("hello");
        assertThat(tokenizer.specialTokens().id(SpecialTokens.TokenRole.PAD)).hasValue(0);
    }

    @Test
    void theCaseOfABertVocabularyFollowsItsConfig() throws IOException {
        Files.writeString(folder.resolve("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nAb\nab\n");
        Tokenizer uncased = Tokenizers.load(folder.resolve("vocab.txt"));
        assertThat(uncased.encode("Ab", EncodeOptions.DEFAULT).ids()).containsExactly(2, 6, 3);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
        Tokenizer cased = Tokenizers.load(folder.resolve("vocab.txt"));
        assertThat(cased.encode("Ab", EncodeOptions.DEFAULT).ids()).containsExactly(2, 5, 3);
    }

    @Test
    void aVocabularyFileWithATokenTwiceOrWithoutASpecialTokenIsRefused() throws IOException {
        Files.writeString(folder.resolve("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n");
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("lines 6 and 7");
        Files.writeString(folder.resolve("vocab.txt"), "[PAD]\n[UNK]\n[SEP]\n[MASK]\na\n");
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("[CLS]");
    }

    @Test
    void aFolderWithoutTokenizerSaysWhatItHasAndWhatIsNeeded() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{}");
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config.json")
                .hasMessageContaining("tokenizer.json");
        Files.writeString(folder.resolve("tokenizer.model"), "x");
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer.model")
                .hasMessageContaining("is not a SentencePiece model");
        assertThatThrownBy(() -> Tokenizers.load(folder.resolve("nothing")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("nothing");
    }

    @Test
    void anAddedTokenAtAnothersIdIsRefused() {
        assertThatThrownBy(() -> changed(
                        "bytebpe",
                        json -> ((ObjectNode) json.path("added_tokens").path(1)).put("id", 7),
                        TokenizersTest::same))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("<|pad|>")
                .hasMessageContaining("7");
        assertThatThrownBy(() -> changed(
                        "bytebpe",
                        json -> ((ObjectNode) json.path("model").path("vocab")).put("b", 66),
                        TokenizersTest::same))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("id 66");
    }

    @Test
    void aTemplateThatAddsAnotherTokenThanTheVocabularyHasIsRefused() {
        assertThatThrownBy(() -> changed(
                        "spbpe",
                        json -> ((ObjectNode) json.path("post_processor")
                                        .path("special_tokens")
                                        .path("<s>"))
                                .putArray("ids")
                                .add(9),
                        TokenizersTest::same))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"<s>\" with id 9");
    }

    @Test
    void aSpecialTokenThatOnlyTheConfigNamesIsAddedAfterTheVocabulary() throws IOException {
        Tokenizer tokenizer = changed("bytebpe", TokenizersTest::same, config -> config.put("mask_token", "<mask>"));
        assertThat(tokenizer.specialTokens().id(SpecialTokens.TokenRole.MASK)).hasValue(292);
        assertThat(tokenizer.encode("a<mask>b", EncodeOptions.DEFAULT).ids()).containsExactly(66, 292, 67);
        assertThat(tokenizer.decode(new int[] {66, 292, 67}, true)).isEqualTo("ab");
        assertThat(tokenizer.idLimit()).isEqualTo(293);
    }

    @Test
    void addBosAndEosOfTheConfigReplaceTheTemplate() throws IOException {
        Tokenizer tokenizer = changed(
                "spbpe",
                TokenizersTest::same,
                config -> config.put("add_bos_token", false).put("add_eos_token", true));
        int[] ids = tokenizer.encode("a", EncodeOptions.DEFAULT).ids();
        assertThat(ids[0]).isNotEqualTo(1);
        assertThat(ids[ids.length - 1]).isEqualTo(2);
        assertThatThrownBy(() -> changed("spbpe", TokenizersTest::same, config -> {
                    config.put("add_bos_token", true);
                    config.putNull("bos_token");
                }))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("add_bos_token");
    }

    @Test
    void sidesOfTheConfigAreTheDefault() throws IOException {
        Tokenizer tokenizer = changed(
                "bytebpe",
                TokenizersTest::same,
                config -> config.put("padding_side", "left").put("truncation_side", "left"));
        assertThat(tokenizer.encodeAll(
                        List.of("a", "bcd"),
                        EncodeOptions.DEFAULT.withTruncation(2).withPadding(Padding.to(3))))
                .extracting(e -> e.tokens())
                .containsExactly(List.of("<|pad|>", "<|pad|>", "a"), List.of("<|pad|>", "c", "d"));
        assertThatThrownBy(() -> changed("bytebpe", TokenizersTest::same, config -> config.put("padding_side", "up")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("padding_side is \"up\"");
    }

    @Test
    void whatTheNativeLibraryRefusesIsReportedWithTheFile() {
        assertThatThrownBy(() -> changed(
                        "bytebpe",
                        json -> ((ObjectNode) json.path("pre_tokenizer")).put("type", "Nonsense"),
                        TokenizersTest::same))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer.json");
        assertThatThrownBy(() -> Tokenizers.parse("x.json", "[1]"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("x.json");
    }

    @Test
    void paddingWithoutAPadTokenIsRefused() throws IOException {
        Tokenizer tokenizer = changed("bytebpe", TokenizersTest::same, config -> config.remove("pad_token"));
        assertThatThrownBy(() ->
                        tokenizer.encodeAll(List.of("a", "bc"), EncodeOptions.DEFAULT.withPadding(Padding.LONGEST)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pad_token");
    }

    @Test
    void halfASurrogatePairIsRefusedWithItsPlace() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("bytebpe"));
        assertThatThrownBy(() -> tokenizer.encode("ab\ud83d", EncodeOptions.DEFAULT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("index 2");
    }

    @Test
    void windowsOfAPairMoveTheTextThatIsShortened() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("wordpiece"));
        TextPair pair = new TextPair("a branch", "she asked, where does the river end? and nobody answered");
        Truncation truncation =
                Truncation.to(20).withStrategy(Truncation.Strategy.ONLY_SECOND).withStride(2);
        List<Encoding> windows = tokenizer.windows(pair, EncodeOptions.DEFAULT.withTruncation(truncation));
        int[] question = tokenizer.encode("a branch", EncodeOptions.DEFAULT).ids();
        int[] context = tokenizer
                .encode(pair.second(), EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                .ids();
        List<Integer> seen = new ArrayList<>();
        for (Encoding window : windows) {
            assertThat(window.ids()).startsWith(question);
            assertThat(window.length()).isLessThanOrEqualTo(20);
            List<Integer> part = new ArrayList<>();
            for (int i = 0; i < window.length(); i++) {
                if (window.sequenceIds()[i] == 1) {
                    part.add(window.ids()[i]);
                    assertThat(window.typeIds()[i]).isEqualTo(1);
                }
            }
            seen.addAll(seen.isEmpty() ? part : part.subList(2, part.size()));
        }
        assertThat(windows).hasSizeGreaterThan(2);
        assertThat(seen).containsExactlyElementsOf(IntStream.of(context).boxed().toList());
        assertThatThrownBy(
                        () -> tokenizer.windows(pair, EncodeOptions.DEFAULT.withTruncation(truncation.withStride(19))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("stride");
        assertThatThrownBy(() -> tokenizer.windows("a", EncodeOptions.DEFAULT)).isInstanceOf(InputException.class);
    }

    @Test
    void aPairWithAnEmptySecondTextIsTheFirstAlsoInABatch() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("unigram"));
        TextPair pair = new TextPair("a", "");
        int[] alone = tokenizer.encode("a", EncodeOptions.DEFAULT).ids();
        assertThat(tokenizer.encode(pair, EncodeOptions.DEFAULT).ids()).isEqualTo(alone);
        List<Encoding> batch = tokenizer.encodePairs(List.of(pair, new TextPair("a", "b")), EncodeOptions.DEFAULT);
        assertThat(batch.get(0).ids()).isEqualTo(alone);
        assertThat(batch.get(1).tokens()).hasSizeGreaterThan(alone.length + 1).endsWith("</s>");
        assertThat(tokenizer
                        .windows(pair, EncodeOptions.DEFAULT.withTruncation(8))
                        .get(0)
                        .ids())
                .isEqualTo(alone);
    }

    @Test
    void manyThreadsShareOneTokenizer() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("splitbpe"));
        String text = "She asked, \"Where does the river end?\" 🙂";
        int[] whole = tokenizer.encode(text, EncodeOptions.DEFAULT).ids();
        assertThat(IntStream.range(0, 400).parallel().allMatch(i -> {
                    int length = 1 + i % whole.length;
                    int[] cut = tokenizer
                            .encode(text, EncodeOptions.DEFAULT.withTruncation(length))
                            .ids();
                    return java.util.Arrays.equals(cut, java.util.Arrays.copyOf(whole, length));
                }))
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "unigram", "spbpe", "splitbpe"})
    void streamedPiecesAreTheDecodedTextAndNeverHalfACharacter(String name) {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve(name));
        Json.read(FIXTURES.resolve(name).resolve("cases.json")).path("single").forEach(c -> {
            int[] ids = tokenizer
                    .encode(c.path("text").stringValue(), EncodeOptions.DEFAULT)
                    .ids();
            for (boolean skip : new boolean[] {true, false}) {
                StreamDecoder decoder = new StreamDecoder(tokenizer, skip);
                StringBuilder streamed = new StringBuilder();
                for (int id : ids) {
                    String piece = decoder.add(id);
                    assertThat(piece.endsWith("\ufffd"))
                            .as("%s in %s", piece, c.path("text"))
                            .isFalse();
                    streamed.append(piece);
                }
                assertThat(streamed + decoder.finish()).isEqualTo(tokenizer.decode(ids, skip));
            }
        });
    }

    @Test
    void streamingGivesACharacterWithItsLastByte() {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve("bytebpe"));
        int[] ids = tokenizer.encode("é🙂!", EncodeOptions.DEFAULT).ids();
        StreamDecoder decoder = new StreamDecoder(tokenizer, true);
        List<String> pieces = IntStream.of(ids).mapToObj(decoder::add).toList();
        assertThat(pieces.subList(pieces.size() - 2, pieces.size())).containsExactly("🙂", "!");
        assertThat(String.join("", pieces)).isEqualTo("é🙂!");
        decoder.add(ids[ids.length - 2]);
        assertThat(decoder.finish()).isEqualTo("\ufffd");
        assertThat(decoder.add(ids[ids.length - 1])).isEqualTo("!");
    }

    @Test
    void spacesAreCleanedUpWhereTheConfigSaysSoAlsoInAStream() throws IOException {
        Tokenizer tokenizer =
                changed("unigram", TokenizersTest::same, config -> config.put("clean_up_tokenization_spaces", true));
        int[] ids = tokenizer
                .encode("the roof , it ' s a branch . or not ?", EncodeOptions.DEFAULT)
                .ids();
        String text = tokenizer.decode(ids, true);
        assertThat(text)
                .doesNotContain(" ,")
                .doesNotContain(" .")
                .doesNotContain(" ?")
                .contains("roof,");
        StreamDecoder decoder = new StreamDecoder(tokenizer, true);
        StringBuilder streamed = new StringBuilder();
        IntStream.of(ids).forEach(id -> streamed.append(decoder.add(id)));
        assertThat(streamed.append(decoder.finish())).hasToString(text);
        Tokenizer bpe =
                changed("bytebpe", TokenizersTest::same, config -> config.put("clean_up_tokenization_spaces", true));
        assertThat(bpe.decode(bpe.encode("a .", EncodeOptions.DEFAULT).ids(), true))
                .isEqualTo("a .");
    }
}
