package dev.graft.train.data.sets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DebianPackagesTest {
    @TempDir
    Path folder;

    /** An index of many packages, of which each fifth has no German description. */
    private void index() throws IOException {
        StringBuilder packages = new StringBuilder();
        StringBuilder english = new StringBuilder();
        StringBuilder german = new StringBuilder();
        for (int i = 0; i < 200; i++) {
            packages.append(
                    "Package: p%d\nSource: s%d (1.2)\nSection: %s\nDescription-md5: m%d\nTag: role::program, use::x%d,\n rare::t%d\n\n"
                            .formatted(i, i / 2, i % 2 == 0 ? "games" : "math", i, i % 3, i));
            english.append(
                    "Package: p%d\nDescription-md5: m%d\nDescription-en: tool %d\n It does %d.\n .\n Second\n paragraph.\n\n"
                            .formatted(i, i, i, i));
            if (i % 5 > 0) {
                german.append("Package: p%d\nDescription-md5: m%d\nDescription-de: Werkzeug %d\n %s\n\n"
                        .formatted(i, i, i, i % 5 == 1 ? "<trans>" : "Text."));
            }
        }
        Files.writeString(folder.resolve("Packages"), packages);
        Files.writeString(folder.resolve("Translation-en"), english);
        Files.writeString(folder.resolve("Translation-de"), german);
    }

    private static Map<String, String> parts(Splits splits) {
        Map<String, String> parts = new HashMap<>();
        Map.of("train", splits.train(), "validation", splits.validation(), "test", splits.test())
                .forEach((part, rows) -> rows(rows)
                        .forEach(row -> parts.put(
                                row.text().replaceAll("\\D+", " ").strip().split(" ")[0], part)));
        return parts;
    }

    private static List<Row.Text> rows(Rows rows) {
        List<Row.Text> list = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            list.add((Row.Text) rows.get(i));
        }
        return list;
    }

    @Test
    void topicsOfAllLanguagesPartPackagesAlikeAndThoseOfOneSourceTogether() throws IOException {
        index();
        Map<String, String> english = parts(DebianPackages.TOPICS.read(folder));
        Map<String, String> german = parts(DebianPackages.TOPICS_DE.read(folder));
        assertThat(english).hasSize(200);
        // Untranslated and half translated descriptions are left out.
        assertThat(german).hasSize(120);
        german.forEach((number, part) -> assertThat(english).containsEntry(number, part));
        for (int i = 0; i < 200; i += 2) {
            assertThat(english.get(Integer.toString(i))).isEqualTo(english.get(Integer.toString(i + 1)));
        }
    }

    @Test
    void tagsThatAreRareAreLeftOut() throws IOException {
        index();
        assertThat(DebianPackages.TAGS.read(folder).train().labelCounts().keySet())
                .containsExactlyInAnyOrder("role::program", "use::x0", "use::x1", "use::x2");
    }

    @Test
    void synopsesAndTranslationsArePromptsAndCompletions() throws IOException {
        index();
        Row.Completion synopsis =
                (Row.Completion) DebianPackages.SYNOPSES.read(folder).train().get(0);
        assertThat(synopsis.prompt()).matches("It does \\d+\\.\nSecond paragraph\\.\nSynopsis:");
        assertThat(synopsis.completion()).startsWith(" tool ");
        Row.Completion german =
                (Row.Completion) DebianPackages.EN_DE.read(folder).train().get(0);
        assertThat(german.prompt()).matches("Translate English to German: tool \\d+\nGerman:");
        assertThat(german.completion()).startsWith(" Werkzeug ");
    }

    @Test
    void aSynopsisBelongsToItsDescription() throws IOException {
        index();
        Row.TextPair pair =
                (Row.TextPair) DebianPackages.PAIRS.read(folder).train().get(0);
        assertThat(pair.anchor()).matches("tool \\d+");
        assertThat(pair.positive()).isEqualTo("It does " + pair.anchor().substring(5) + ".\nSecond paragraph.");
        assertThat(DebianPackages.PAIRS_DE.read(folder).test().get(0))
                .isInstanceOfSatisfying(
                        Row.TextPair.class,
                        german -> assertThat(german.positive()).isEqualTo("Text."));
    }

    @Test
    void anIndexWithoutDescriptionsIsRefused() throws IOException {
        for (String name : List.of("Packages", "Translation-en")) {
            Files.writeString(folder.resolve(name), "no field\n\n");
        }
        assertThatThrownBy(() -> DebianPackages.TOPICS.read(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("no packages with a description in en");
    }

    @FuzzTest(maxDuration = "5s")
    void anyTextIsParagraphs(byte[] content) throws IOException {
        Path file = Files.write(
                Files.createTempFile("graft-fuzz", ".control"),
                new String(content, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8));
        try {
            DebianControlFile.read(file, fields -> assertThat(fields).isNotEmpty());
        } finally {
            Files.delete(file);
        }
    }
}
