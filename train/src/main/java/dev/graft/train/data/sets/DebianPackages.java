package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Texts of Debian's index of packages. Packages built from the same source stay in the same split, in all of these data sets, so that a
 * model trained on one language can be scored on another.
 */
enum DebianPackages {
    TOPICS("description -> one of about 50 sections", "en") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return topic(fields, text);
        }
    },
    TOPICS_DE("German description -> section", "de") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return topic(fields, text);
        }
    },
    TOPICS_FR("French description -> section", "fr") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return topic(fields, text);
        }
    },
    TOPICS_IT("Italian description -> section", "it") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return topic(fields, text);
        }
    },
    TAGS("description -> any number of tags", "en") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            List<String> tags = Stream.of(fields.getOrDefault("Tag", "").split("[,\\s]+"))
                    .filter(tag -> !tag.isEmpty())
                    .distinct()
                    .toList();
            return tags.isEmpty() ? null : new Row.Text(text.whole(), null, new Label.Many(tags));
        }
    },
    SYNOPSES("description -> its synopsis", "en") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return text.body.isEmpty() ? null : new Row.Completion(text.body + "\nSynopsis:", " " + text.synopsis);
        }
    },
    PAIRS("synopsis -> the description that it heads", "en") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return pair(text);
        }
    },
    PAIRS_DE("German synopsis -> the description that it heads", "de") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return pair(text);
        }
    },
    PAIRS_FR("French synopsis -> the description that it heads", "fr") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return pair(text);
        }
    },
    PAIRS_IT("Italian synopsis -> the description that it heads", "it") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return pair(text);
        }
    },
    EN_DE("English synopsis -> German", "de") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return translation(english, text, "German");
        }
    },
    EN_FR("English synopsis -> French", "fr") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return translation(english, text, "French");
        }
    },
    EN_IT("English synopsis -> Italian", "it") {
        @Override
        @Nullable
        Row row(Map<String, String> fields, PackageText english, PackageText text) {
            return translation(english, text, "Italian");
        }
    };

    private static final double TESTED = 0.05;

    /** A tag counts that at least one package in a hundred with tags has. */
    private static final double SHARE = 0.01;

    /** The key of a package: translations belong to one wording of its description. */
    private record TranslationKey(String name, String md5) {}

    /**
     * A description.
     *
     * @param synopsis its first line
     * @param body its other lines, with paragraphs joined; empty for none
     */
    record PackageText(String synopsis, String body) {
        private static final Pattern UNTRANSLATED = Pattern.compile("(?i)<trans>");

        static PackageText of(String description) {
            int end = description.indexOf('\n');
            String body = end < 0
                    ? ""
                    : description
                            .substring(end)
                            .lines()
                            .map(String::strip)
                            .map(line -> line.equals(".") ? "" : line)
                            .collect(Collectors.joining(" "))
                            .replaceAll(" {2,}", "\n")
                            .strip();
            return new PackageText((end < 0 ? description : description.substring(0, end)).strip(), body);
        }

        boolean isWhole() {
            return !synopsis.isEmpty() && !UNTRANSLATED.matcher(synopsis + body).find();
        }

        String whole() {
            return body.isEmpty() ? synopsis : synopsis + "\n" + body;
        }
    }

    private final String description;
    private final String language;

    DebianPackages(String description, String language) {
        this.description = description;
        this.language = language;
    }

    String set() {
        return "debian-" + name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    String description() {
        return description;
    }

    /** The row of a package, null if it makes none. */
    abstract @Nullable Row row(Map<String, String> fields, PackageText english, PackageText text);

    /** @param from the folder with {@code Packages} and {@code Translation-en} and others */
    Splits read(Path from) throws IOException {
        Map<TranslationKey, PackageText> english = texts(from, "en");
        Map<TranslationKey, PackageText> texts = language.equals("en") ? english : texts(from, language);
        List<GroupedRow> rows = new ArrayList<>();
        DebianControlFile.read(from.resolve("Packages"), fields -> {
            String name = fields.getOrDefault("Package", "");
            TranslationKey wording = new TranslationKey(name, fields.getOrDefault("Description-md5", ""));
            PackageText original = english.get(wording);
            PackageText text = texts.get(wording);
            if (original != null && text != null && text.isWhole()) {
                Row row = row(fields, original, text);
                if (row != null) {
                    rows.add(new GroupedRow(fields.getOrDefault("Source", name).split(" ")[0], row));
                }
            }
        });
        if (rows.isEmpty()) {
            throw new FormatException(from, "has no packages with a description in " + language);
        }
        return HashSplits.splitByGroup(set(), this == TAGS ? frequent(rows) : rows, TESTED);
    }

    private static Map<TranslationKey, PackageText> texts(Path from, String language) throws IOException {
        Map<TranslationKey, PackageText> texts = new LinkedHashMap<>();
        DebianControlFile.read(
                from.resolve("Translation-" + language),
                fields -> texts.put(
                        new TranslationKey(
                                fields.getOrDefault("Package", ""), fields.getOrDefault("Description-md5", "")),
                        PackageText.of(fields.getOrDefault("Description-" + language, ""))));
        return texts;
    }

    private static @Nullable Row topic(Map<String, String> fields, PackageText text) {
        String section = fields.getOrDefault("Section", "");
        return section.isEmpty() ? null : new Row.Text(text.whole(), null, new Label.One(section));
    }

    private static @Nullable Row pair(PackageText text) {
        return text.body.isEmpty() ? null : new Row.TextPair(text.synopsis, text.body, null);
    }

    private static @Nullable Row translation(PackageText english, PackageText text, String language) {
        return english.synopsis.isEmpty() || english.synopsis.equals(text.synopsis)
                ? null
                : new Row.Completion(
                        "Translate English to " + language + ": " + english.synopsis + "\n" + language + ":",
                        " " + text.synopsis);
    }

    /** The rows with those tags alone that are not rare; rows without one are left out. */
    private static List<GroupedRow> frequent(List<GroupedRow> rows) {
        Map<String, Integer> counts = new TreeMap<>();
        rows.forEach(row -> tags(row).forEach(tag -> counts.merge(tag, 1, Integer::sum)));
        List<GroupedRow> kept = new ArrayList<>();
        for (GroupedRow row : rows) {
            List<String> tags = tags(row).stream()
                    .filter(tag -> counts.getOrDefault(tag, 0) >= SHARE * rows.size())
                    .toList();
            if (!tags.isEmpty()) {
                kept.add(new GroupedRow(row.group(), row.row().with(new Label.Many(tags))));
            }
        }
        return kept;
    }

    private static List<String> tags(GroupedRow row) {
        return ((Label.Many) Objects.requireNonNull(row.row().label())).names();
    }
}
