package dev.graft.models.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class StopStringsTest {
    @Test
    void beginningOfAStopStringIsHeldBack() {
        StopStrings stopStrings = new StopStrings(List.of("END", "STOP"));

        assertThat(stopStrings.add("hello E")).isEqualTo("hello ");
        assertThat(stopStrings.add("N")).isEmpty();
        assertThat(stopStrings.add("E")).isEqualTo("EN");
        assertThat(stopStrings.finish()).isEqualTo("E");
        assertThat(stopStrings.text()).isEqualTo("hello ENE");
    }

    @Property
    void piecesAreTheTextBeforeTheFirstStopString(
            @ForAll("pieces") List<String> pieces, @ForAll("stops") List<String> stops) {
        StopStrings stopStrings = new StopStrings(stops);
        StringBuilder heard = new StringBuilder();
        StringBuilder given = new StringBuilder();
        for (String piece : pieces) {
            if (!stopStrings.stopped()) {
                given.append(piece);
                heard.append(stopStrings.add(piece));
            }
        }
        if (!stopStrings.stopped()) {
            heard.append(stopStrings.finish());
        }
        int end = given.length();
        for (String stop : stops) {
            int at = given.indexOf(stop);
            end = at >= 0 ? Math.min(end, at) : end;
        }
        assertThat(heard).hasToString(given.substring(0, end)).hasToString(stopStrings.text());
        assertThat(stopStrings.stopped()).isEqualTo(stops.stream().anyMatch(stop -> given.indexOf(stop) >= 0));
    }

    @Provide
    Arbitrary<List<String>> pieces() {
        return Arbitraries.strings().withChars("ab").ofMaxLength(4).list().ofMaxSize(12);
    }

    @Provide
    Arbitrary<List<String>> stops() {
        return Arbitraries.strings()
                .withChars("ab")
                .ofMinLength(1)
                .ofMaxLength(5)
                .list()
                .ofMaxSize(3);
    }
}
