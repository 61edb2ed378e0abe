package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Series of the UCR and UEA archives as texts: each dimension in at most 32 means over pieces of equal length (piecewise aggregate
 * approximation), as whole numbers of which 50 is the dimension's mean and 15 its deviation; dimensions are parted by a bar. The files'
 * own training and test rows.
 */
enum TimeSeries {
    ITALY_POWER("ItalyPowerDemand", "winter or summer"),
    GUN_POINT("GunPoint", "gun or pointing"),
    ARROW_HEAD("ArrowHead", "one of 3 kinds of arrow"),
    OSU_LEAF("OSULeaf", "one of 6 kinds of leaf"),
    BASIC_MOTIONS("BasicMotions", "one of 4 activities"),
    JAPANESE_VOWELS("JapaneseVowels", "one of 9 speakers");

    private static final int PIECES = 32;
    private static final double VALIDATION = 0.2;

    private final String archive;
    private final String classes;

    TimeSeries(String archive, String classes) {
        this.archive = archive;
        this.classes = classes;
    }

    String set() {
        return "series-" + name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    String classes() {
        return classes;
    }

    Splits read(Path from) throws IOException {
        Path folder = from.resolve("sktime/datasets/data").resolve(archive);
        Splits whole = new Splits(
                Rows.of(set() + "/train", rows(folder.resolve(archive + "_TRAIN.ts"))),
                null,
                Rows.of(set() + "/test", rows(folder.resolve(archive + "_TEST.ts"))),
                List.of());
        return whole.withValidation(VALIDATION);
    }

    static List<Row> rows(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        boolean isData = false;
        int number = 0;
        for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
            number++;
            if (line.strip().equalsIgnoreCase("@data")) {
                isData = true;
            } else if (isData && !line.isBlank()) {
                rows.add(row(line.strip(), file + ":" + number));
            }
        }
        if (rows.isEmpty()) {
            throw new FormatException(file, "has no rows after @data");
        }
        return rows;
    }

    private static Row row(String line, String place) {
        int colon = line.lastIndexOf(':');
        if (colon < 0) {
            throw new FormatException(place, "has no class after a colon", null);
        }
        String text = Arrays.stream(line.substring(0, colon).split(":"))
                .map(dimension -> text(dimension, place))
                .collect(Collectors.joining(" | "));
        return new Row.Text(text, null, new Label.One(line.substring(colon + 1).strip()));
    }

    private static String text(String dimension, String place) {
        double[] values;
        try {
            values = Arrays.stream(dimension.split(","))
                    .filter(value -> !value.strip().equals("?"))
                    .mapToDouble(value -> Double.parseDouble(value.strip()))
                    .toArray();
        } catch (NumberFormatException e) {
            throw new FormatException(place, "has a value that is no number: " + e.getMessage(), e);
        }
        double mean = Arrays.stream(values).average().orElse(0);
        double deviation = Math.sqrt(Arrays.stream(values)
                .map(value -> (value - mean) * (value - mean))
                .average()
                .orElse(0));
        int pieces = Math.min(PIECES, values.length);
        List<String> numbers = new ArrayList<>();
        for (int piece = 0; piece < pieces; piece++) {
            int start = piece * values.length / pieces;
            int end = (piece + 1) * values.length / pieces;
            double part = Arrays.stream(values, start, end).average().orElse(mean);
            double scaled = deviation == 0 ? 0 : (part - mean) / deviation;
            numbers.add(Long.toString(Math.max(0, Math.min(99, Math.round(50 + 15 * scaled)))));
        }
        return String.join(" ", numbers);
    }
}
