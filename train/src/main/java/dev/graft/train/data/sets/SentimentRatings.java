package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Sentences with the mean of twenty people's ratings, from -4, most negative, to 4 (Hutto and Gilbert, 2014). Four domains, so that one can
 * be trained on and another tested. Sentences of one review or editorial stay together.
 */
enum SentimentRatings {
    TWEETS("tweets"),
    FILMS("movieReviewSnippets"),
    PRODUCTS("amazonReviewSnippets"),
    NEWS("nytEditorialSnippets");

    /** A mean nearer to zero than this is neither positive nor negative. */
    private static final double NEUTRAL = 0.5;

    private final String file;

    SentimentRatings(String file) {
        this.file = file;
    }

    String texts() {
        return name().toLowerCase(Locale.ROOT);
    }

    Splits scores(Path from) throws IOException {
        return HashSplits.split("sentiment-" + texts(), rows(from));
    }

    Splits classes(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        for (GroupedRow grouped : rows(from)) {
            Row.Text row = (Row.Text) grouped.row();
            double score = ((Label.Score) Objects.requireNonNull(row.label())).value();
            if (Math.abs(score) >= NEUTRAL) {
                rows.add(new GroupedRow(grouped.group(), row.with(new Label.One(score > 0 ? "positive" : "negative"))));
            }
        }
        return HashSplits.split("polarity-" + texts(), rows);
    }

    private List<GroupedRow> rows(Path from) throws IOException {
        Path path = from.resolve("hutto_ICWSM_2014").resolve(file + "_GroundTruth.txt");
        List<GroupedRow> rows = new ArrayList<>();
        int number = 0;
        for (String line : Files.readAllLines(path, StandardCharsets.ISO_8859_1)) {
            number++;
            String[] fields = line.split("\t", 3);
            if (fields.length < 3 || !fields[1].matches("-?[0-9]+(\\.[0-9]+)?")) {
                throw new FormatException(path + ":" + number, "is not an id, a rating and a text between tabs", null);
            }
            String text = fields[2].strip();
            if (!text.isEmpty()) {
                String whole = fields[0].replaceFirst("_.*", "");
                rows.add(new GroupedRow(
                        whole, new Row.Text(text, null, new Label.Score(Double.parseDouble(fields[1])))));
            }
        }
        return rows;
    }
}
