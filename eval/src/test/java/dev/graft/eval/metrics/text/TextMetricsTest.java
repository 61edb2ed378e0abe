package dev.graft.eval.metrics.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.metrics.Metric;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TextMetricsTest {

    static Stream<Metric<TextPrediction>> all() {
        return Stream.of(
                new SquadScore(),
                new Bleu(),
                ChrF.characters(),
                ChrF.withWords(),
                new Ter(),
                new Rouge(true),
                ErrorRate.ofWords(),
                ErrorRate.ofCharacters());
    }

    @ParameterizedTest
    @MethodSource("all")
    void theSameTextIsPerfectAndAnotherIsNot(Metric<TextPrediction> metric) {
        metric.update(new TextPrediction("a gardener grafts one young branch", "a gardener grafts one young branch"));
        double perfect = metric.value();
        metric.update(new TextPrediction("nothing of this", "the baker counts all of his loaves"));
        double worse = metric.value();

        assertThat(List.of(0.0, 1.0, 100.0))
                .anySatisfy(best -> assertThat(perfect).isCloseTo(best, within(1e-9)));
        assertThat(worse < perfect).isEqualTo(metric.higherIsBetter());
    }

    @ParameterizedTest
    @MethodSource("all")
    void ofSeveralReferencesTheBestCounts(Metric<TextPrediction> metric) {
        metric.update(new TextPrediction(
                "a gardener grafts one young branch",
                List.of("some other text of six words", "a gardener grafts one young branch")));

        double best = metric.name().startsWith("rouge") ? 1 : 100;
        assertThat(metric.value()).isCloseTo(metric.higherIsBetter() ? best : 0, within(1e-9));
    }

    @Test
    void aRowWithoutReferenceIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TextPrediction("text", List.of()))
                .withMessageContaining("reference");
    }

    @Test
    void bleuOfACorpusIsNotTheMeanOfItsSentences() {
        Bleu corpus = new Bleu();
        List<TextPrediction> rows = List.of(
                new TextPrediction("the cat sat on the mat today", "the cat sat on the mat today"),
                new TextPrediction("one two three four five six", "one two three nine ten eleven"));
        rows.forEach(corpus::update);
        double mean = rows.stream()
                .mapToDouble(row -> {
                    Bleu sentence = new Bleu();
                    sentence.update(row);
                    return sentence.value();
                })
                .average()
                .orElseThrow();

        assertThat(corpus.value()).isNotCloseTo(mean, within(1.0));
    }

    @Test
    void bleuSaysHowItWasComputed() {
        assertThat(new Bleu().signature()).isEqualTo("case:mixed|eff:no|tok:13a|smooth:exp");
    }

    @Test
    void movedWordsAreOneEdit() {
        Ter ter = new Ter();
        ter.update(new TextPrediction("on the mat sat the cat quietly now", "sat the cat quietly now on the mat"));

        assertThat(ter.value()).isEqualTo(100.0 / 8);
    }

    @Test
    void shiftsNeverCostMoreThanTheEditsWithoutThem() {
        Random random = new Random(4);
        for (int i = 0; i < 50; i++) {
            List<String> words = new ArrayList<>(List.of("a b c d e f g h i j".split(" ")));
            List<String> reference = List.copyOf(words);
            Collections.shuffle(words, random);
            assertThat(ShiftedEdits.count(words, reference))
                    .isLessThanOrEqualTo(EditPath.of(words, reference).distance());
        }
    }

    @Test
    void theEditPathFollowsTheLengthsOfVeryDifferentTexts() {
        List<String> longText = Collections.nCopies(200, "word");

        assertThat(EditPath.of(longText, List.of("word")).distance()).isEqualTo(199);
        assertThat(EditPath.of(List.of("word"), longText).distance()).isEqualTo(199);
        assertThat(EditPath.of(List.of(), longText).distance()).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource({
        "running,run",
        "relational,relat",
        "flies,fli",
        "dying,die",
        "news,news",
        "happy,happi",
        "enjoy,enjoy",
        "hopping,hop",
        "falling,fall",
        "filing,file",
        "controlled,control",
        "agreed,agre",
        "sensibilities,sensibl",
        "adoption,adopt",
        "tied,tie",
        "radically,radic",
        "archaeology,archaeolog",
        "by,by"
    })
    void stems(String word, String stem) {
        assertThat(PorterStemmer.stem(word)).isEqualTo(stem);
    }

    @Property(tries = 200)
    void aStemIsNeverLongerThanItsWordByMoreThanOneLetter(@ForAll("words") @Size(max = 12) String word) {
        assertThat(PorterStemmer.stem(word).length()).isLessThanOrEqualTo(word.length() + 1);
    }

    @net.jqwik.api.Provide
    net.jqwik.api.Arbitrary<String> words() {
        return net.jqwik.api.Arbitraries.strings()
                .withCharRange('a', 'z')
                .ofMinLength(1)
                .ofMaxLength(12);
    }

    @Test
    void oneErrorRateCountsWordsAndTheOtherCharacters() {
        ErrorRate words = ErrorRate.ofWords();
        ErrorRate characters = ErrorRate.ofCharacters();
        TextPrediction row = new TextPrediction("the bat", "the cat");
        words.update(row);
        characters.update(row);

        assertThat(words.value()).isEqualTo(0.5);
        assertThat(characters.value()).isCloseTo(1 / 7.0, within(1e-12));
    }

    @Test
    void votesNeedSeveralPeople() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new VqaAccuracy().update(new TextPrediction("red", "red")))
                .withMessageContaining("several people");
    }
}
