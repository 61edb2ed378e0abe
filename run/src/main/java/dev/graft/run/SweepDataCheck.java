package dev.graft.run;

import dev.graft.formats.InputException;
import dev.graft.run.config.RunConfig;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The fingerprint of the rows of a sweep's runs: the last line of a recipe. It changes with the content of their files.
 */
final class SweepDataCheck {
    private static final String START = "# rows ";

    private final Map<DataFiles, String> lines = new HashMap<>();

    /** A recipe with the line of its rows. */
    String in(String recipe, RunConfig config) {
        return recipe + lines.computeIfAbsent(DataFiles.of(config.data(), config.goal()), SweepDataCheck::line);
    }

    /** @throws InputException if a run was begun with other settings or rows; recipes of earlier versions say nothing of rows */
    static void requireSame(String begun, String now, Object file) {
        if (!settings(begun).equals(settings(now))) {
            throw new InputException(file + " is of a sweep with other settings; choose another output_dir");
        }
        if (begun.contains(START) && !begun.equals(now)) {
            throw new InputException(
                    file + " is of a sweep on other rows: the content of its data files has changed; put them back,"
                            + " or choose another output_dir");
        }
    }

    private static String settings(String recipe) {
        int end = recipe.lastIndexOf(START);
        return end < 0 ? recipe : recipe.substring(0, end);
    }

    private static String line(DataFiles files) {
        try (Splits splits = files.open()) {
            List<String> parts = new ArrayList<>();
            Arrays.asList(splits.train(), splits.validation(), splits.test())
                    .forEach(rows -> parts.add(rows == null ? "none" : digest(rows)));
            return START + String.join(" ", parts) + "\n";
        }
    }

    private static String digest(Rows rows) {
        return rows instanceof Dataset data
                ? data.sha256()
                : Long.toHexString(IntStream.range(0, rows.size())
                        .mapToLong(row -> 31 * rows.hash(row)
                                + String.valueOf(rows.get(row).label()).hashCode())
                        .reduce(0, (sum, row) -> 1_000_003 * sum + row));
    }
}
