package dev.graft.eval.suites;

import dev.graft.eval.metrics.detection.Box;
import dev.graft.eval.metrics.detection.CocoAp;
import dev.graft.eval.metrics.detection.DetectionRow;
import dev.graft.eval.metrics.detection.DetectionRow.Detection;
import dev.graft.eval.metrics.detection.DetectionRow.Truth;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Objects in pictures as COCO's files have them (Lin et al., 2014): {@code instances_*.json}, and what a detector found as a list of
 * {@code {"image_id", "category_id", "bbox": [x, y, width, height], "score"}}. There is no detector here, so its findings come from a file.
 */
public final class CocoFiles {
    private final Path annotations;
    private final Map<Long, List<Truth>> truths = new LinkedHashMap<>();
    private final Set<Integer> categories = new HashSet<>();

    private CocoFiles(Path annotations) {
        this.annotations = annotations;
    }

    /**
     * The objects of a folder: of {@code instances_val*.json}, in the folder or its {@code annotations}.
     *
     * @throws InputException if there is no such file, or there are several
     */
    public static CocoFiles in(Path folder) {
        List<Path> found = new ArrayList<>();
        for (Path place : List.of(folder, folder.resolve("annotations"))) {
            if (Files.isDirectory(place)) {
                try (Stream<Path> files = Files.list(place)) {
                    files.filter(file -> file.getFileName().toString().matches("instances_val.*\\.json"))
                            .forEach(found::add);
                } catch (IOException e) {
                    throw new UncheckedIOException("cannot look into " + place + ": " + e.getMessage(), e);
                }
            }
        }
        if (found.size() != 1) {
            throw new InputException(folder + " has " + found.size()
                    + " files such as annotations/instances_val2017.json, expected one: " + found);
        }
        return read(found.get(0));
    }

    /** @throws FormatException naming the entry that isn't in COCO's format */
    static CocoFiles read(Path file) {
        CocoFiles coco = new CocoFiles(file);
        Fields all = Fields.read(file);
        for (JsonNode image : all.list("images")) {
            coco.truths.put(id(file, "images", image, "id"), new ArrayList<>());
        }
        for (JsonNode category : all.list("categories")) {
            coco.categories.add((int) id(file, "categories", category, "id"));
        }
        int number = 0;
        for (JsonNode node : all.list("annotations")) {
            Fields object = Fields.of(file + ": annotations[" + number++ + "]", node);
            Box box = box(object);
            coco.of(object)
                    .add(new Truth(
                            coco.category(object),
                            box,
                            object.number("area", box.area(), 0, Double.MAX_VALUE),
                            object.integer("iscrowd", 0, 0, 1) == 1));
        }
        return coco;
    }

    /** The file of the objects. */
    public Path file() {
        return annotations;
    }

    public int images() {
        return truths.size();
    }

    /**
     * COCO's twelve figures of what was found; -1 where there is no object of a size.
     *
     * @throws FormatException naming the entry that isn't in COCO's format, or that is about another picture or kind
     */
    public Map<String, Double> score(Path predictions) {
        Map<Long, List<Detection>> found = new LinkedHashMap<>();
        truths.keySet().forEach(image -> found.put(image, new ArrayList<>()));
        JsonNode list = Json.read(predictions);
        if (!list.isArray()) {
            throw new FormatException(predictions, "is no list, expected one of boxes with their scores");
        }
        int number = 0;
        for (JsonNode node : list) {
            Fields one = Fields.of(predictions + ": [" + number++ + "]", node);
            of(one);
            found.computeIfAbsent(id(predictions, "predictions", node, "image_id"), image -> new ArrayList<>())
                    .add(new Detection(category(one), box(one), one.number("score", 0, -1e9, 1e9)));
        }
        CocoAp ap = new CocoAp();
        truths.forEach((image, own) -> ap.update(new DetectionRow(own, found.getOrDefault(image, List.of()))));
        return ap.values();
    }

    private List<Truth> of(Fields object) {
        JsonNode image = object.node("image_id");
        List<Truth> own = image == null || !image.isIntegralNumber() ? null : truths.get(image.longValue());
        if (own == null) {
            throw new FormatException(
                    object.source(), "image_id is " + image + ", which is no picture of " + annotations, null);
        }
        return own;
    }

    private int category(Fields object) {
        int category = object.integer("category_id");
        if (!categories.contains(category)) {
            throw new FormatException(
                    object.source(), "category_id is " + category + ", which is no kind of " + annotations, null);
        }
        return category;
    }

    private static Box box(Fields object) {
        List<JsonNode> box = object.list("bbox");
        if (box.size() != 4
                || !box.stream().allMatch(each -> each.isNumber() && Double.isFinite(each.doubleValue()))
                || box.get(2).doubleValue() < 0
                || box.get(3).doubleValue() < 0) {
            throw object.wrong("bbox", "x, y, width and height");
        }
        return new Box(
                box.get(0).doubleValue(),
                box.get(1).doubleValue(),
                box.get(2).doubleValue(),
                box.get(3).doubleValue());
    }

    private static long id(Path file, String list, JsonNode node, String name) {
        JsonNode id = node.path(name);
        if (!id.isIntegralNumber() || !id.canConvertToLong()) {
            throw new FormatException(file, "has among its " + list + " one without a whole number for " + name);
        }
        return id.longValue();
    }
}
