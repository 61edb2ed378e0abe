package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ExamplesTest {
    private static final Path TOKENS = Path.of("../parity/fixtures/tokens");
    private static final Tokenizer BYTES = Tokenizers.load(TOKENS.resolve("bytebpe"));
    private static final Tokenizer LLAMA = Tokenizers.load(TOKENS.resolve("spbpe"));
    private static final Tokenizer BERT = Tokenizers.load(TOKENS.resolve("wordpiece"));
    private static final int WHOLE = Integer.MAX_VALUE;

    private static Example completion(Tokenizer tokenizer, String prompt, String completion, LossOn lossOn) {
        return new CausalEncoder(tokenizer, null, lossOn, tokenizer.idLimit())
                .encode(0, new Row.Completion(prompt, completion), "a.jsonl:1", WHOLE);
    }

    private static int[] labels(Example example) {
        return ((Target.Tokens) example.target()).labels();
    }

    @Test
    void onlyTheCompletionAndTheEndTokenAreLearned() {
        Example example = completion(BYTES, "What is it?", " a tree", LossOn.COMPLETION);
        assertThat(BYTES.decode(example.ids(), false)).isEqualTo("What is it? a tree<|endoftext|>");
        assertThat(MaskedText.of(example, BYTES)).isEqualTo("What is it?⟦ a tree<|endoftext|>⟧");
        assertThat(labels(example)[example.length() - 1]).isEqualTo(example.ids()[example.length() - 1]);
        assertThat(example.target().lossTerms()).isEqualTo((int)
                Arrays.stream(labels(example)).filter(label -> label != -100).count());
        Example all = completion(BYTES, "What is it?", " a tree", LossOn.ALL);
        assertThat(labels(all)).isEqualTo(all.ids());
    }

    @Test
    void thePromptHasTheTokensThatItHasAlone() {
        for (String prompt : List.of("say wh", "a ", "", "x\n")) {
            Example example = completion(BYTES, prompt, "ether it is", LossOn.COMPLETION);
            int[] alone = BYTES.encode(prompt, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                    .ids();
            assertThat(Arrays.copyOf(example.ids(), alone.length))
                    .as("prompt <%s>", prompt)
                    .isEqualTo(alone);
            assertThat(Arrays.stream(labels(example)).limit(alone.length)).allMatch(label -> label == -100);
            assertThat(labels(example)[alone.length]).isEqualTo(example.ids()[alone.length]);
            assertThat(BYTES.decode(example.ids(), true)).isEqualTo(prompt + "ether it is");
        }
    }

    @Test
    void oneBosIsPutBeforeThePromptWhereTheTokenizerDoesSo() {
        Example example = completion(LLAMA, "What is it?", " a tree", LossOn.COMPLETION);
        int bos = LLAMA.specialTokens().require(SpecialTokens.TokenRole.BOS).id();
        assertThat(example.ids()[0]).isEqualTo(bos);
        assertThat(Arrays.stream(example.ids()).filter(id -> id == bos)).hasSize(1);
        assertThat(MaskedText.of(example, LLAMA)).startsWith("<s>").endsWith("tree</s>⟧");
    }

    @Test
    void anEndTokenThatTheAnswerBringsIsLearnedOnce() {
        assertThat(MaskedText.of(completion(BYTES, "What is it?", " a tree<|endoftext|>", LossOn.COMPLETION), BYTES))
                .isEqualTo("What is it?⟦ a tree<|endoftext|>⟧");
        assertThat(MaskedText.of(completion(BYTES, "", "a tree<|endoftext|>\n", LossOn.COMPLETION), BYTES))
                .isEqualTo("a⟦ tree<|endoftext|>\n⟧");
        assertThat(MaskedText.of(completion(BYTES, "", "a<|endoftext|>b", LossOn.COMPLETION), BYTES))
                .as("an end inside is no end")
                .isEqualTo("a⟦<|endoftext|>b<|endoftext|>⟧");
        assertThat(MaskedText.of(completion(BYTES, "a<|endoftext|>", " ", LossOn.COMPLETION), BYTES))
                .as("the end of the prompt is none of the answer")
                .isEqualTo("a<|endoftext|>⟦ <|endoftext|>⟧");
    }

    @Test
    void anEncoderDecoderLearnsOneEndTokenToo() {
        Tokenizer unigram = Tokenizers.load(TOKENS.resolve("unigram"));
        Seq2SeqEncoder encoder = new Seq2SeqEncoder(unigram, 0);
        assertThat(encoder.encode(0, new Row.Completion("a", "b</s>"), "a:1", WHOLE)
                        .decoderIds())
                .isEqualTo(encoder.encode(0, new Row.Completion("a", "b"), "a:1", WHOLE)
                        .decoderIds())
                .endsWith(unigram.specialTokens()
                        .require(SpecialTokens.TokenRole.EOS)
                        .id());
    }

    @Test
    void aTextThatBringsItsOwnBosIsRefused() {
        assertThatThrownBy(() -> completion(LLAMA, "<s>What is it?", " a tree", LossOn.COMPLETION))
                .isInstanceOf(InputException.class)
                .hasMessage("a.jsonl:1: the text begins with <s>, which the tokenizer puts before every text; remove it"
                        + " from the rows");
    }

    @Test
    void padAsEndTokenIsLearnedBecausePaddingIsKnownByLength() {
        Example shortOne = completion(BYTES, "a", " b", LossOn.COMPLETION);
        Example longOne = completion(BYTES, "a longer prompt", " with more", LossOn.COMPLETION);
        int end = shortOne.ids()[shortOne.length() - 1];
        Batch batch = Batch.of(List.of(shortOne, longOne), end);
        long[] labels = ((BatchTargets.Tokens) batch.targets()).labels();
        assertThat(labels[shortOne.length() - 1]).isEqualTo(end);
        assertThat(labels[shortOne.length()]).isEqualTo(-100);
        assertThat(batch.attentionMask()[shortOne.length() - 1]).isEqualTo(1);
    }

    @Test
    void textsAndPairsGetTheirSpecialTokensSegmentsAndTargets() {
        ClassificationEncoder encoder =
                new ClassificationEncoder(BERT, Labels.ofNames(List.of("no", "yes")), BERT.idLimit());
        Example pair = encoder.encode(4, new Row.Text("is it", "a tree", new Label.One("yes")), "a:1", WHOLE);
        assertThat(BERT.token(pair.ids()[0])).isEqualTo("[CLS]");
        assertThat(pair.typeIds()).startsWith(0, 0).endsWith(1);
        assertThat(((Target.ClassId) pair.target()).id()).isEqualTo(1);
        assertThat(pair.row()).isEqualTo(4);
        Example cut = encoder.encode(0, new Row.Text("a b c d e f g h", null, new Label.One("no")), "a:1", 5);
        assertThat(cut.ids()).hasSize(5);
        assertThat(BERT.token(cut.ids()[4])).isEqualTo("[SEP]");
        Example many = encoder.encode(0, new Row.Text("a", null, new Label.Many(List.of("yes"))), "a:1", WHOLE);
        assertThat(((Target.MultiHot) many.target()).classes()).containsExactly(0, 1);
        Example score = encoder.encode(0, new Row.Text("a", null, new Label.Score(2.5)), "a:1", WHOLE);
        assertThat(((Target.Score) score.target()).value()).isEqualTo(2.5f);
        assertThatThrownBy(() -> encoder.encode(0, new Row.Text("a", null, new Label.One("maybe")), "a.csv:9", WHOLE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a.csv:9: the label maybe is not one of the 2 labels");
        assertThatThrownBy(() -> encoder.encode(0, new Row.Text("a", null, null), "a.csv:9", WHOLE))
                .hasMessageContaining("a.csv:9: the rows are texts without labels, but classification needs");
    }

    @Test
    void rowsOfAnotherTaskAndIdsOfAnotherTokenizerAreRefused() {
        CausalEncoder causal = new CausalEncoder(null, null, LossOn.COMPLETION, 100);
        assertThatThrownBy(() -> causal.encode(0, new Row.Text("a", null, new Label.One("x")), "a.csv:2", WHOLE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the rows are classification, but fine-tuning a causal model needs")
                .hasMessageContaining("\"prompt\"");
        assertThatThrownBy(() ->
                        causal.encode(0, new Row.Tokens(new int[] {1, 100}, new int[] {1, 1}), "a.jsonl:3", WHOLE))
                .hasMessageContaining("a.jsonl:3: input_ids[1] is 100, but the model has 100 embedding rows");
    }

    private static Rows tokenRows(int... lengths) {
        return Rows.of(
                "rows",
                Arrays.stream(lengths)
                        .mapToObj(length -> {
                            int[] ids = IntStream.range(0, length).toArray();
                            int[] labels = ids.clone();
                            Arrays.fill(labels, 0, length / 2, -100);
                            return new Row.Tokens(ids, labels);
                        })
                        .toList());
    }

    private static Examples encode(Rows rows, int maxLength, Overflow overflow) {
        return Examples.encode(rows, new CausalEncoder(null, null, LossOn.COMPLETION, 1000), maxLength, overflow);
    }

    @Test
    void longRowsAreDroppedCutOrRefusedAndCounted() {
        Rows rows = tokenRows(10, 40, 20, 100);
        Examples dropped = encode(rows, 30, Overflow.DROP);
        assertThat(dropped.lengths()).containsExactly(10, 20);
        assertThat(dropped.get(1).row()).isEqualTo(2);
        assertThat(dropped.places(dropped.batch(new int[] {1, 0}, 0))).containsExactly("rows:3", "rows:1");
        assertThat(dropped.summary().dropped()).isEqualTo(2);
        assertThat(dropped.summary().text()).isEqualTo("""
            2 rows, 30 tokens (15 a row, longest 100), 50.0 % of the tokens trained
            lengths: up to 16: 1, up to 32: 1, up to 64: 1, up to 128: 1
            2 rows longer than 30 tokens were left out\
            """);
        Examples cut = encode(rows, 30, Overflow.TRUNCATE);
        assertThat(cut.lengths())
                .as("the row of 100 has no label left within 30")
                .containsExactly(10, 30, 20);
        assertThat(cut.summary().truncated()).isEqualTo(1);
        assertThat(cut.summary().dropped()).isZero();
        assertThat(cut.summary().emptied()).isEqualTo(1);
        assertThat(cut.summary().text()).endsWith("\n1 row left out: cut to 30 tokens it has nothing to learn");
        assertThatThrownBy(() -> encode(tokenRows(100, 200), 30, Overflow.TRUNCATE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cut to it they have nothing to learn: raise it, or cut the beginning");
        assertThat(labels(cut.get(1))).hasSize(30).endsWith(29);
        assertThatThrownBy(() -> encode(rows, 30, Overflow.ERROR))
                .isInstanceOf(InputException.class)
                .hasMessage("rows:2: the row has 40 tokens, more than max_seq_length 30");
    }

    @Test
    void aSplitWithNothingToLearnIsRefused() {
        assertThatThrownBy(() -> encode(tokenRows(50, 60), 30, Overflow.DROP))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("all 2 rows from rows:1 on are longer than max_seq_length 30");
        Rows silent = Rows.of("rows", List.of(new Row.Tokens(new int[] {1, 2}, new int[] {1, -100})));
        assertThatThrownBy(() -> encode(silent, 30, Overflow.DROP)).hasMessageContaining("there is nothing to learn");
        assertThatThrownBy(() -> encode(silent, 1, Overflow.DROP)).hasMessageContaining("max_seq_length is 1");
        Rows half = Rows.of(
                "rows",
                List.of(
                        new Row.Tokens(new int[] {1, 2}, new int[] {1, -100}),
                        tokenRows(4).get(0)));
        assertThat(encode(half, 30, Overflow.DROP).summary().text()).endsWith("1 row without a labelled token");
    }

    @Test
    void examplesThatDoNotFitInMemoryAreTheSame() {
        Rows rows = tokenRows(10, 40, 20);
        CausalEncoder encoder = new CausalEncoder(null, null, LossOn.COMPLETION, 1000);
        Examples kept = Examples.encode(rows, encoder, 30, Overflow.TRUNCATE);
        Examples encodedAgain = Examples.encode(rows, encoder, 30, Overflow.TRUNCATE, 15);
        for (int i = 0; i < 3; i++) {
            assertThat(encodedAgain.get(i)).usingRecursiveComparison().isEqualTo(kept.get(i));
        }
    }

    @Test
    void longRowsLoseTheirBeginningOrBecomeSeveral() {
        Row row = new Row.Tokens(new int[] {1, 2, 3, 4, 5, 6, 7}, new int[] {-100, -100, -100, -100, 5, 6, 7});
        Row small = new Row.Tokens(new int[] {8, 9}, new int[] {8, 9});
        for (long kept : new long[] {1000, 0}) {
            Examples left = encode(Overflow.TRUNCATE_LEFT, kept, row, small);
            assertThat(left.get(0).ids()).containsExactly(5, 6, 7);
            assertThat(labels(left.get(0))).containsExactly(5, 6, 7);
            assertThat(left.get(1).ids()).containsExactly(8, 9);
            assertThat(left.summary().text()).contains("1 row longer than 3 tokens were cut");
            Examples split = encode(Overflow.SPLIT, kept, row, small);
            assertThat(split.lengths()).containsExactly(3, 3, 2);
            assertThat(split.get(0).ids())
                    .as("the first piece has nothing to learn")
                    .containsExactly(3, 4, 5);
            assertThat(split.get(1).ids()).containsExactly(5, 6, 7);
            assertThat(labels(split.get(1))).containsExactly(5, 6, 7);
            assertThat(split.summary().lossTerms())
                    .as("every label is predicted once")
                    .isEqualTo(3 + 1);
            assertThat(split.get(2).row()).isEqualTo(1);
            assertThat(split.summary().text()).contains("1 row longer than 3 tokens became several");
        }
        assertThatThrownBy(() -> Examples.encode(
                        Rows.of("a", List.of(new Row.Text("is it", null, new Label.One("no")))),
                        new ClassificationEncoder(BERT, Labels.ofNames(List.of("no", "yes")), BERT.idLimit()),
                        3,
                        Overflow.SPLIT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("only rows of causal models can be cut so");
    }

    private static Examples encode(Overflow overflow, long mostKept, Row... rows) {
        CausalEncoder encoder = new CausalEncoder(null, null, LossOn.COMPLETION, 1000);
        return Examples.encode(Rows.of("rows", List.of(rows)), encoder, 3, overflow, mostKept);
    }
}
