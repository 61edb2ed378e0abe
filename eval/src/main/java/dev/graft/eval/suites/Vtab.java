package dev.graft.eval.suites;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A task of VTAB-1k (Zhai et al., 2019) in the form in which it is passed on: lists of a picture's file and the number of its class,
 * {@code train800.txt}, {@code val200.txt} and {@code test.txt}.
 *
 * @param group natural, specialised or structured
 */
record Vtab(String title, String group) implements SuiteTask {
    private static final String TRAIN = "train800";
    private static final String VALIDATION = "val200";

    /** The 19 tasks. */
    static List<SuiteTask> all() {
        List<SuiteTask> tasks = new ArrayList<>();
        Map<String, String> groups = new LinkedHashMap<>();
        groups.put("natural", "caltech101 cifar dtd oxford_flowers102 oxford_iiit_pet sun397 svhn");
        groups.put("specialised", "eurosat resisc45 patch_camelyon diabetic_retinopathy");
        groups.put(
                "structured",
                "clevr_count clevr_dist dmlab kitti dsprites_loc dsprites_ori smallnorb_azi smallnorb_ele");
        groups.forEach((group, names) -> Stream.of(names.split(" ")).forEach(name -> tasks.add(new Vtab(name, group))));
        return List.copyOf(tasks);
    }

    @Override
    public SuiteQuestion question() {
        return SuiteQuestion.CLASS;
    }

    @Override
    public List<String> scoredSplits() {
        return List.of("test");
    }

    @Override
    public String trainSplit() {
        return TRAIN;
    }

    @Override
    public String validationSplit() {
        return VALIDATION;
    }

    @Override
    public Path file(Path benchmark, String part) {
        return benchmark.resolve(title).resolve(part + ".txt");
    }

    @Override
    public List<Item> read(Path benchmark, String part) {
        Path file = file(benchmark, part);
        List<Item> items = new ArrayList<>();
        int number = 0;
        for (String line : OfficialLines.read(file)) {
            number++;
            if (line.isBlank()) {
                continue;
            }
            String place = file + ":" + number;
            int gap = line.strip().lastIndexOf(' ');
            String label = line.strip().substring(gap + 1);
            if (gap < 0 || !label.matches("[0-9]{1,6}")) {
                throw new FormatException(
                        place, "is \"" + line + "\", expected a picture's file and the number of its class", null);
            }
            Path picture =
                    picture(benchmark, file, line.strip().substring(0, gap).strip(), place);
            items.add(new Item(new Row.Image(
                    PictureSource.of(picture), new Label.One(Integer.toString(Integer.parseInt(label))))));
        }
        if (items.isEmpty()) {
            throw new FormatException(file, "has no pictures");
        }
        return items;
    }

    private static Path picture(Path benchmark, Path list, String name, String place) {
        try {
            Path picture = list.resolveSibling(name).toAbsolutePath().normalize();
            if (picture.startsWith(benchmark.toAbsolutePath().normalize()) && Files.isRegularFile(picture)) {
                return picture;
            }
        } catch (InvalidPathException noPath) {
            throw new FormatException(place, "names \"" + name + "\", which is no file's name", noPath);
        }
        throw new FormatException(place, "names " + name + ", which is no file of the benchmark", null);
    }

    @Override
    public Map<String, Double> score(List<Answer> answers) {
        return Map.of("accuracy", ImageClassificationTask.share(answers, 1));
    }
}
