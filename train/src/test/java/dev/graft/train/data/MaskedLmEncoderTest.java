package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class MaskedLmEncoderTest {
    private static final Path TOKENS = Path.of("../parity/fixtures/tokens");
    private static final Tokenizer BERT = Tokenizers.load(TOKENS.resolve("wordpiece"));
    private static final int MASK =
            BERT.specialTokens().require(SpecialTokens.TokenRole.MASK).id();
    private static final Row TEXT =
            new Row.Text("the keeper and the tent grow on trees while we wait there".repeat(3), null, null);

    @Test
    void ofTheDrawnTokensMostAreMaskedSomeReplacedAndSomeKept() {
        MaskedLmEncoder encoder = new MaskedLmEncoder(BERT, 0.15, 7);
        Example whole = encoder.encode(3, TEXT, "a:1", 512);
        int[] drawn = {0, 0, 0};
        int ordinary = 0;
        for (int draw = 0; draw < 1000; draw++) {
            Example example = encoder.redraw(whole, draw);
            int[] labels = ((Target.InPlace) example.target()).labels();
            for (int i = 0; i < labels.length; i++) {
                if (BERT.isSpecial(whole.ids()[i])) {
                    assertThat(labels[i]).isEqualTo(Target.NONE);
                    assertThat(example.ids()[i]).isEqualTo(whole.ids()[i]);
                    continue;
                }
                ordinary++;
                if (labels[i] == Target.NONE) {
                    assertThat(example.ids()[i]).isEqualTo(whole.ids()[i]);
                } else {
                    assertThat(labels[i]).isEqualTo(whole.ids()[i]);
                    drawn[example.ids()[i] == MASK ? 0 : example.ids()[i] == labels[i] ? 2 : 1]++;
                }
            }
        }
        double all = drawn[0] + drawn[1] + drawn[2];
        assertThat(all / ordinary).isCloseTo(0.15, within(0.01));
        assertThat(drawn[0] / all).isCloseTo(0.8, within(0.02));
        assertThat(drawn[1] / all).isCloseTo(0.1, within(0.02));
        assertThat(drawn[2] / all).isCloseTo(0.1, within(0.02));
    }

    @Test
    void masksAreDrawnAnewAtEachStepAndTheSameWhenAStepIsDoneAgain() {
        MaskedLmEncoder encoder = new MaskedLmEncoder(BERT, 0.15, 7);
        Examples examples = Examples.encode(Rows.of("a", List.of(TEXT, TEXT)), encoder, 512, Overflow.DROP);
        assertThat(examples.isOneToOne()).as("whether layers of it may be kept").isFalse();
        int[] rows = {0, 1};
        long[] first = examples.batch(rows, 0, 1).ids();
        assertThat(examples.batch(rows, 0, 1).ids()).isEqualTo(first);
        assertThat(examples.batch(rows, 0, 2).ids()).isNotEqualTo(first);
        assertThat(examples.batch(new int[] {0}, 0, 1).ids())
                .isNotEqualTo(examples.batch(new int[] {1}, 0, 1).ids());
    }

    @Test
    void aLongTextBecomesWindowsInWhichEveryTokenStandsOnce() {
        List<Example> windows = new MaskedLmEncoder(BERT, 0.15, 7).windows(0, TEXT, "a:1", 16);
        Example whole = new MaskedLmEncoder(BERT, 0.15, 7).encode(0, TEXT, "a:1", 512);
        assertThat(windows).hasSizeGreaterThan(2).allMatch(window -> window.length() <= 16);
        assertThat(windows.stream().mapToInt(Example::lossTerms).sum()).isEqualTo(whole.lossTerms());
    }

    @Test
    void tokenizersWithoutAMaskAndOtherRowsAreRefused() {
        Tokenizer causal = Tokenizers.load(TOKENS.resolve("bytebpe"));
        assertThatThrownBy(() -> new MaskedLmEncoder(causal, 0.15, 7)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new MaskedLmEncoder(BERT, 0, 7)).hasMessageContaining("mask_share is 0.0");
        assertThatThrownBy(() -> new MaskedLmEncoder(BERT, 0.15, 7).encode(0, new Row.Completion("a", "b"), "a:1", 16))
                .hasMessageContaining("but learning masked tokens needs rows such as");
    }
}
