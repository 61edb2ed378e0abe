package dev.graft.eval.claims;

import dev.graft.eval.claims.ScoreTable.Cell;
import dev.graft.eval.compare.MethodResult;
import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Measurements without a claim to judge: tables of scores. They share studies with the claims. */
public enum Investigation {
    /** Transfer between all pairs of the sentiment domains. */
    TRANSFER(
            "Trained on one domain, scored on each",
            "method, trained on",
            Studies.DOMAINS.stream().map(Studies::domain).toList()) {
        @Override
        List<Cell> cells(StudyResults results) {
            List<Cell> cells = new ArrayList<>();
            for (String from : Studies.DOMAINS) {
                for (String to : Studies.DOMAINS) {
                    scored(results, Studies.to(from, to))
                            .forEach(each -> cells.add(new Cell(each.method() + ", " + from, to, each.score())));
                }
            }
            return cells;
        }
    },
    /** Few-shot training on 1 to 64 rows of each class. */
    SHOTS(
            "Few rows of each class",
            "method",
            IntStream.of(1, 2, 4, 8, 16, 32, 64).mapToObj(Studies::shots).toList()) {
        @Override
        List<Cell> cells(StudyResults results) {
            return studies().stream()
                    .flatMap(study -> scored(results, study.name()).stream()
                            .map(each -> new Cell(each.method(), Integer.toString(study.shots()), each.score())))
                    .toList();
        }
    },
    /** The loss of score on another domain. */
    SHIFT("Trained on films: what another domain costs", "method", List.of(Studies.FILMS)) {
        @Override
        List<Cell> cells(StudyResults results) {
            List<Cell> cells = new ArrayList<>();
            for (MethodResult own : scored(results, "films")) {
                cells.add(new Cell(own.method(), "films", own.score()));
                for (String other : Studies.FILMS.transferSets().keySet()) {
                    results.of(other, own.method())
                            .ifPresent(shifted -> cells.add(new Cell(
                                    own.method(),
                                    other.replace("films-to-", "lost on "),
                                    own.score() - shifted.score())));
                }
            }
            return cells;
        }
    },
    /** LoRA on one kind of module, or in one layer, at a time. */
    LAYERS("LoRA in some places alone", "places", List.of(Studies.LAYERS)) {
        @Override
        List<Cell> cells(StudyResults results) {
            List<Cell> cells = new ArrayList<>();
            for (MethodResult each : scored(results, Studies.LAYERS.name())) {
                cells.add(new Cell(each.method(), "score", each.score()));
                cells.add(new Cell(each.method(), "trainable %", each.trainablePercent()));
            }
            return cells;
        }
    },
    /** The distance of probabilities from the frequency with which they are right. */
    CALIBRATION(
            "Calibration: expected error of the probabilities",
            "method, study",
            List.of(Studies.KINDS, Studies.FILMS)) {
        @Override
        List<Cell> cells(StudyResults results) {
            List<Cell> cells = new ArrayList<>();
            for (String study : List.of("kinds", "films", "films-to-tweets")) {
                for (MethodResult each : scored(results, study)) {
                    for (String metric : List.of("accuracy", "ece", "brier", "log_loss")) {
                        double mean = mean(each, metric);
                        if (Double.isFinite(mean)) {
                            cells.add(new Cell(each.method() + ", " + study, metric, mean));
                        }
                    }
                }
            }
            return cells;
        }
    };

    private final String title;
    private final String corner;
    private final List<Study> studies;

    Investigation(String title, String corner, List<Study> studies) {
        this.title = title;
        this.corner = corner;
        this.studies = List.copyOf(studies);
    }

    /** The figures that came of its studies. */
    abstract List<Cell> cells(StudyResults results);

    /** Returns the comparisons that it needs. */
    public List<Study> studies() {
        return studies;
    }

    /** Returns the name in lower case. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Returns the table of the results. */
    public ScoreTable table(StudyResults results) {
        return new ScoreTable(title, corner, cells(results));
    }

    /**
     * Returns the investigation of that name.
     *
     * @throws InputException if there is none
     */
    public static Investigation named(String id) {
        return Arrays.stream(values())
                .filter(each -> each.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new InputException("there is nothing to investigate called " + id + ", but "
                        + Arrays.stream(values()).map(Investigation::id).collect(Collectors.joining(", "))));
    }

    static List<MethodResult> scored(StudyResults results, String study) {
        return results.results().getOrDefault(study, List.of()).stream()
                .filter(MethodResult::hasScore)
                .toList();
    }

    /** The mean of a metric over the seeds; NaN where trials don't have it. */
    static double mean(MethodResult result, String metric) {
        return result.outcomes().stream()
                .mapToDouble(outcome -> outcome.test().metric(metric))
                .average()
                .orElse(Double.NaN);
    }
}
