package dev.graft.eval.suites;

import dev.graft.models.images.Picture;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Image classification benchmarks in their official formats: the binary files of CIFAR-10 and CIFAR-100, and a folder for each class of
 * ImageNet.
 */
enum ImageClassificationTask implements SuiteTask {
    CIFAR10("cifar-10-batches-bin", "", "test_batch.bin", 1),
    CIFAR100("cifar-100-binary", "train.bin", "test.bin", 1),
    IMAGENET("", "train", "val", 5);

    private static final DataOptions LABELLED =
            DataOptions.labelled(Label.Kind.ONE).withShape(RowShape.LABELLED_IMAGE);

    private final String folder;
    private final String train;
    private final String test;
    private final int guesses;

    /**
     * @param folder in the benchmark's, where there is one
     * @param guesses the most that a right class may be among; accuracy of one is always stated
     */
    ImageClassificationTask(String folder, String train, String test, int guesses) {
        this.folder = folder;
        this.train = train;
        this.test = test;
        this.guesses = guesses;
    }

    @Override
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.CLASS;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of(this == IMAGENET ? "val" : "test");
    }

    @Override
    public Path file(Path benchmark, String part) {
        Path inside = benchmark.resolve(folder);
        Path home = Files.isDirectory(inside) ? inside : benchmark;
        return part.equals(trainSplit()) ? home.resolve(train) : home.resolve(test);
    }

    @Override
    public Splits openSplits(Path benchmark) {
        return Splits.open(
                file(benchmark, Objects.requireNonNull(trainSplit())),
                null,
                file(benchmark, scoredSplits().get(0)),
                LABELLED);
    }

    @Override
    public List<Item> read(Path benchmark, String part) {
        List<Item> items = new ArrayList<>();
        try (Dataset rows = Dataset.open(file(benchmark, part), LABELLED)) {
            for (int i = 0; i < rows.size(); i++) {
                Row.Image row = (Row.Image) rows.get(i);
                items.add(
                        new Item(this == IMAGENET ? row : new Row.Image(CachedPicture.of(row.picture()), row.label())));
            }
        }
        return items;
    }

    /** A picture that is read once: those of CIFAR are small, and their file is closed. */
    private record CachedPicture(String name, Picture read) implements PictureSource {
        static CachedPicture of(PictureSource source) {
            return new CachedPicture(source.name(), source.read());
        }

        @Override
        public byte[] bytes() {
            return read.rgb();
        }
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        if (guesses == 1) {
            return Map.of("accuracy", share(answers, 1));
        }
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("top1", share(answers, 1));
        values.put("top" + guesses, share(answers, guesses));
        return values;
    }

    /** Returns how often the right class is among the most probable ones. */
    static double share(List<Answer> answers, int guesses) {
        long right = answers.stream()
                .filter(answer -> answer.outputs().stream()
                        .limit(guesses)
                        .anyMatch(((Label.One) Objects.requireNonNull(
                                        answer.item().row().label()))
                                .name()::equals))
                .count();
        return (double) right / answers.size();
    }

    @Override
    public List<String> mainScores() {
        return guesses == 1 ? List.of() : List.of("top1");
    }
}
