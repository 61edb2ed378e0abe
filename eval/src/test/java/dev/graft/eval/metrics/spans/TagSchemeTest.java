package dev.graft.eval.metrics.spans;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class TagSchemeTest {

    private static List<Span> spans(TagScheme scheme, String tags) {
        return scheme.spans(List.of(tags.split(" ")));
    }

    @Test
    void aSpanThatBeginsWithAnInsideTagCountsOnlyWhereTheRuleIsLenient() {
        assertThat(spans(TagScheme.LENIENT, "O I-PER I-PER O")).containsExactly(new Span("PER", 1, 3));
        assertThat(spans(TagScheme.IOB2, "O I-PER I-PER O")).isEmpty();
    }

    @Test
    void neighboursOfOneTypeAreToldApartByTheirBeginning() {
        assertThat(spans(TagScheme.IOB2, "B-A B-A I-A")).containsExactly(new Span("A", 0, 1), new Span("A", 1, 3));
        assertThat(spans(TagScheme.LENIENT, "I-A I-B I-B")).containsExactly(new Span("A", 0, 1), new Span("B", 1, 3));
    }

    @Test
    void aSpanWithoutItsLastTagDoesNotCountWhereTheSchemeHasOne() {
        assertThat(spans(TagScheme.IOBES, "B-A I-A O S-B")).containsExactly(new Span("B", 3, 4));
        assertThat(spans(TagScheme.BILOU, "B-A L-A O U-B")).containsExactly(new Span("A", 0, 2), new Span("B", 3, 4));
        assertThat(spans(TagScheme.IOE2, "I-A E-A E-A")).containsExactly(new Span("A", 0, 2), new Span("A", 2, 3));
    }

    @Test
    void tagsOfAnotherSchemeAreRefusedByName() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> spans(TagScheme.IOB2, "S-A"))
                .withMessageContaining("S-A")
                .withMessageContaining("BIO");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TagScheme.LENIENT.spans(List.of("")))
                .withMessageContaining("\"\"");
    }

    @Test
    void sequencesOfDifferentLengthsAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TagPrediction(List.of("O"), List.of("O", "O")))
                .withMessageContaining("1 tags but 2 predictions");
    }
}
