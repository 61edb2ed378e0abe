package dev.graft.models.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tokenizers from GGUF fields encode as the tokenizer.json with the same vocabulary and merges. */
class GgufTokenizerTest {

    private static final Path FIXTURES = Path.of("../parity/fixtures/tokens");

    @TempDir
    private Path folder;

    /** The fields that a converter writes for a byte-level BPE tokenizer.json. */
    private static Map<String, Object> fields(String name, String pre) {
        JsonNode tokenizer = Json.read(FIXTURES.resolve(name).resolve("tokenizer.json"));
        Tokenizer reference = Tokenizers.load(FIXTURES.resolve(name));
        List<String> tokens = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        for (int id = 0; id < reference.vocabSize(); id++) {
            tokens.add(reference.token(id));
            types.add(reference.isSpecial(id) ? 3 : 1);
        }
        List<String> merges = new ArrayList<>();
        tokenizer
                .path("model")
                .path("merges")
                .forEach(merge -> merges.add(
                        merge.path(0).stringValue() + " " + merge.path(1).stringValue()));
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("general.architecture", "llama");
        fields.put("tokenizer.ggml.model", "gpt2");
        fields.put("tokenizer.ggml.pre", pre);
        fields.put("tokenizer.ggml.tokens", tokens);
        fields.put("tokenizer.ggml.token_type", types);
        fields.put("tokenizer.ggml.merges", merges);
        fields.put("tokenizer.ggml.eos_token_id", 0);
        fields.put("tokenizer.ggml.padding_token_id", 1);
        return fields;
    }

    private Path write(Map<String, Object> fields) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        number(out, 3, 4);
        number(out, 0, 8);
        number(out, fields.size(), 8);
        fields.forEach((key, value) -> {
            string(out, key);
            if (value instanceof String text) {
                number(out, 8, 4);
                string(out, text);
            } else if (value instanceof Integer number) {
                number(out, 4, 4);
                number(out, number, 4);
            } else if (value instanceof Boolean truth) {
                number(out, 7, 4);
                out.write(truth ? 1 : 0);
            } else {
                List<?> list = (List<?>) value;
                number(out, 9, 4);
                number(out, list.get(0) instanceof String ? 8 : list.get(0) instanceof Float ? 6 : 5, 4);
                number(out, list.size(), 8);
                list.forEach(item -> {
                    if (item instanceof String text) {
                        string(out, text);
                    } else if (item instanceof Float number) {
                        number(out, Float.floatToRawIntBits(number), 4);
                    } else {
                        number(out, (Integer) item, 4);
                    }
                });
            }
        });
        return Files.write(folder.resolve("model.gguf"), out.toByteArray());
    }

    private static void number(ByteArrayOutputStream out, long value, int bytes) {
        out.writeBytes(java.util.Arrays.copyOf(
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(value)
                        .array(),
                bytes));
    }

    private static void string(ByteArrayOutputStream out, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        number(out, utf8.length, 8);
        out.writeBytes(utf8);
    }

    private void assertSame(Tokenizer actual, Tokenizer expected, String name) {
        for (JsonNode c :
                Json.read(FIXTURES.resolve(name).resolve("cases.json")).path("single")) {
            String text = c.path("text").stringValue();
            int[] ids = expected.encode(text, EncodeOptions.DEFAULT).ids();
            assertThat(actual.encode(text, EncodeOptions.DEFAULT).ids())
                    .as(text)
                    .isEqualTo(ids);
            assertThat(actual.decode(ids, false)).isEqualTo(expected.decode(ids, false));
            assertThat(actual.decode(ids, true)).isEqualTo(expected.decode(ids, true));
        }
    }

    @Test
    void gpt2FieldsEncodeAsTheirTokenizerJson() throws IOException {
        Tokenizer tokenizer = Tokenizers.load(write(fields("bytebpe", "gpt-2")));
        assertSame(tokenizer, Tokenizers.load(FIXTURES.resolve("bytebpe")), "bytebpe");
        assertThat(tokenizer.specialTokens().id(SpecialTokens.TokenRole.EOS)).hasValue(0);
        assertThat(tokenizer.specialTokens().id(SpecialTokens.TokenRole.PAD)).hasValue(1);
        assertThat(tokenizer.specialTokens().get(SpecialTokens.TokenRole.BOS)).isEmpty();
    }

    /** Scores are the ranks of merges, as in Llama 2. */
    @Test
    void llamaFieldsEncodeAsTheirTokenizerJson() throws IOException {
        Map<String, Object> fields = sentencePieceFields();
        Tokenizer tokenizer = Tokenizers.load(write(fields));
        assertSame(tokenizer, Tokenizers.load(FIXTURES.resolve("spbpe")), "spbpe");
        assertThat(tokenizer.specialTokens().id(SpecialTokens.TokenRole.BOS)).hasValue(1);

        fields.put("tokenizer.ggml.add_space_prefix", false);
        fields.put("tokenizer.ggml.add_bos_token", false);
        int[] ids = Tokenizers.load(write(fields))
                .encode("the", EncodeOptions.DEFAULT)
                .ids();
        assertThat(ids)
                .isNotEqualTo(tokenizer.encode("the", EncodeOptions.DEFAULT).ids());
        fields.put("tokenizer.ggml.scores", List.of(0f));
        assertThatThrownBy(() -> Tokenizers.load(write(fields)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer.ggml.scores");
    }

    private static Map<String, Object> sentencePieceFields() {
        JsonNode json = Json.read(FIXTURES.resolve("spbpe").resolve("tokenizer.json"));
        Tokenizer reference = Tokenizers.load(FIXTURES.resolve("spbpe"));
        Map<String, Integer> ranks = new LinkedHashMap<>();
        json.path("model")
                .path("merges")
                .forEach(merge -> ranks.putIfAbsent(
                        merge.path(0).stringValue() + merge.path(1).stringValue(), ranks.size()));
        List<String> tokens = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        List<Float> scores = new ArrayList<>();
        for (int id = 0; id < reference.vocabSize(); id++) {
            String token = reference.token(id);
            tokens.add(token);
            types.add(id == 0 ? 2 : reference.isSpecial(id) ? 3 : token.matches("<0x..>") ? 6 : 1);
            scores.add((float) -ranks.getOrDefault(token, 100_000));
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("general.architecture", "llama");
        fields.put("tokenizer.ggml.model", "llama");
        fields.put("tokenizer.ggml.tokens", tokens);
        fields.put("tokenizer.ggml.token_type", types);
        fields.put("tokenizer.ggml.scores", scores);
        fields.put("tokenizer.ggml.bos_token_id", 1);
        fields.put("tokenizer.ggml.eos_token_id", 2);
        fields.put("tokenizer.ggml.unknown_token_id", 0);
        return fields;
    }

    @Test
    void llama3FieldsSplitDigitsByThreesAndQwen2FieldsOneByOne() throws IOException {
        JsonNode merges = Json.parse("merges", "[\"1 2\", \"12 3\"]");
        Map<String, Object> fields = fields("bytebpe", "llama-bpe");
        List<String> tokens = new ArrayList<>();
        ((List<?>) fields.get("tokenizer.ggml.tokens")).forEach(token -> tokens.add((String) token));
        tokens.addAll(List.of("12", "123"));
        List<Integer> types = new ArrayList<>(java.util.Collections.nCopies(tokens.size(), 1));
        types.set(0, 3);
        fields.put("tokenizer.ggml.tokens", tokens);
        fields.put("tokenizer.ggml.token_type", types);
        fields.put(
                "tokenizer.ggml.merges",
                List.of(merges.path(0).stringValue(), merges.path(1).stringValue()));
        fields.put("tokenizer.ggml.bos_token_id", 0);
        assertThat(Tokenizers.load(write(fields))
                        .encode("1231", EncodeOptions.DEFAULT)
                        .tokens())
                .containsExactly("<|endoftext|>", "123", "1");
        fields.put("tokenizer.ggml.pre", "qwen2");
        Tokenizer qwen = Tokenizers.load(write(fields));
        assertThat(qwen.encode("1231", EncodeOptions.DEFAULT).tokens()).containsExactly("1", "2", "3", "1");
        assertThat(qwen.decode(qwen.encode("e\u0301", EncodeOptions.DEFAULT).ids(), true))
                .isEqualTo("é");
        fields.put("tokenizer.ggml.pre", "smollm");
        assertThat(Tokenizers.load(write(fields))
                        .encode("1231", EncodeOptions.DEFAULT)
                        .tokens())
                .containsExactly("1", "2", "3", "1");
        fields.put("tokenizer.ggml.pre", "gpt-2");
        fields.put("tokenizer.ggml.add_bos_token", true);
        assertThat(Tokenizers.load(write(fields))
                        .encode("1231", EncodeOptions.DEFAULT)
                        .tokens())
                .containsExactly("<|endoftext|>", "123", "1");
    }

    @Test
    void unknownSplittingRulesAndModelsAreRefusedByName() throws IOException {
        Map<String, Object> fields = fields("bytebpe", "tekken");
        Path file = write(fields);
        assertThatThrownBy(() -> Tokenizers.load(file))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"tekken\"")
                .hasMessageContaining("smollm");
        fields.put("tokenizer.ggml.model", "rwkv");
        Path other = write(fields);
        assertThatThrownBy(() -> Tokenizers.load(other))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"rwkv\"");
    }

    @Test
    void contradictoryFieldsAreRefused() throws IOException {
        Map<String, Object> fields = fields("bytebpe", "gpt-2");
        fields.put("tokenizer.ggml.token_type", List.of(1, 1));
        Path types = write(fields);
        assertThatThrownBy(() -> Tokenizers.load(types))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("token_type has 2 entries");
        fields = fields("bytebpe", "gpt-2");
        fields.put("tokenizer.ggml.eos_token_id", 9999);
        Path eos = write(fields);
        assertThatThrownBy(() -> Tokenizers.load(eos))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("eos_token_id is 9999");
        fields = fields("bytebpe", "gpt-2");
        fields.put("tokenizer.ggml.merges", List.of("ab"));
        Path merges = write(fields);
        assertThatThrownBy(() -> Tokenizers.load(merges))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("merges has \"ab\"");
    }
}
