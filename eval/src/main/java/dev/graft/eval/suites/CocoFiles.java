package dev.graft.eval.suites;

import dev.graft.eval.metrics.detection.CocoAp;
import dev.graft.eval.metrics.detection.DetectionRow;
import dev.graft.eval.metrics.detection.DetectionRow.Detection;
import dev.graft.eval.metrics.detection.DetectionRow.Truth;
import dev.graft.eval.metrics.detection.Region;
import dev.graft.formats.Fields;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * Objects in pictures from COCO's files (Lin et al., 2014): {@code instances_*.json}, and the results of a detector as a list of
 * {@code {"image_id", "category_id", "bbox": [x, y, width, height], "segmentation", "score"}}, with boxes, masks or both. Graft has no
 * detector, so its results come from a file.
 */
public final class CocoFiles {
    private final Path annotations;
    private final Map<Long, CocoImage> pictures = new LinkedHashMap<>();
    private final Set<Integer> categories = new HashSet<>();

    /** Something in a picture: what is there, or what was found. */
    private record CocoObject(Fields fields, int category) {}

    /** An image with its objects. */
    private record CocoImage(Fields fields, List<CocoObject> things) {}

    /** Reads the regions to compare: boxes or masks. */
    private interface RegionReader<S extends Region<S>> {
        S of(Fields thing, Fields image);
    }

    private CocoFiles(Path annotations) {
        this.annotations = annotations;
    }

    /**
     * Reads the objects of {@code instances_val*.json} in a folder or its {@code annotations}.
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
                    throw new FileAccessException("cannot look into " + place, e);
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
            long id = id(file, "images", image, "id");
            coco.pictures.put(id, new CocoImage(Fields.of(file + ": image " + id, image), new ArrayList<>()));
        }
        for (JsonNode category : all.list("categories")) {
            coco.categories.add((int) id(file, "categories", category, "id"));
        }
        int number = 0;
        for (JsonNode node : all.list("annotations")) {
            Fields object = Fields.of(file + ": annotations[" + number++ + "]", node);
            CocoImage picture = coco.picture(object);
            CocoRegions.box(object);
            picture.things.add(new CocoObject(object, coco.category(object)));
        }
        return coco;
    }

    /** Returns the file of the objects. */
    public Path file() {
        return annotations;
    }

    public int images() {
        return pictures.size();
    }

    /**
     * Scores detections by COCO's twelve figures, of boxes or, with the prefix {@code segm_}, of masks, according to the first detection. A
     * figure is -1 if there is no object of its size.
     *
     * @throws FormatException naming the entry that isn't in COCO's format, or that is about another picture or kind
     */
    public Map<String, Double> score(Path predictions) {
        Map<CocoImage, List<CocoObject>> found = new IdentityHashMap<>();
        JsonNode list = Json.read(predictions);
        if (!list.isArray()) {
            throw new FormatException(predictions, "is no list, expected one of boxes or masks with their scores");
        }
        int number = 0;
        for (JsonNode node : list) {
            Fields one = Fields.of(predictions + ": [" + number++ + "]", node);
            found.computeIfAbsent(picture(one), picture -> new ArrayList<>()).add(new CocoObject(one, category(one)));
        }
        boolean masks = !list.isEmpty() && list.get(0).has("segmentation");
        Map<String, Double> scores = new LinkedHashMap<>();
        if (!masks || list.get(0).has("bbox")) {
            scores.putAll(score(found, (thing, image) -> CocoRegions.box(thing)));
        }
        if (masks) {
            score(found, CocoRegions::mask).forEach((name, value) -> scores.put("segm_" + name, value));
        }
        return scores;
    }

    private <S extends Region<S>> Map<String, Double> score(
            Map<CocoImage, List<CocoObject>> found, RegionReader<S> shaped) {
        CocoAp<S> ap = new CocoAp<>();
        pictures.values()
                .forEach(picture -> ap.update(new DetectionRow<>(
                        picture.things.stream()
                                .map(thing -> truth(thing, shaped.of(thing.fields, picture.fields)))
                                .toList(),
                        found.getOrDefault(picture, List.of()).stream()
                                .map(thing -> new Detection<>(
                                        thing.category,
                                        shaped.of(thing.fields, picture.fields),
                                        thing.fields.number("score", 0, -1e9, 1e9)))
                                .toList())));
        return ap.values();
    }

    private static <S extends Region<S>> Truth<S> truth(CocoObject thing, S shape) {
        return new Truth<>(
                thing.category,
                shape,
                thing.fields.number("area", shape.area(), 0, Double.MAX_VALUE),
                thing.fields.integer("iscrowd", 0, 0, 1) == 1);
    }

    private CocoImage picture(Fields object) {
        JsonNode image = object.node("image_id");
        CocoImage picture = image == null || !image.isIntegralNumber() ? null : pictures.get(image.longValue());
        if (picture == null) {
            throw new FormatException(
                    object.source(), "image_id is " + image + ", which is no picture of " + annotations, null);
        }
        return picture;
    }

    private int category(Fields object) {
        int category = object.integer("category_id");
        if (!categories.contains(category)) {
            throw new FormatException(
                    object.source(), "category_id is " + category + ", which is no kind of " + annotations, null);
        }
        return category;
    }

    private static long id(Path file, String list, JsonNode node, String name) {
        JsonNode id = node.path(name);
        if (!id.isIntegralNumber() || !id.canConvertToLong()) {
            throw new FormatException(file, "has among its " + list + " one without a whole number for " + name);
        }
        return id.longValue();
    }
}
