package dev.graft.eval.suites;

import dev.graft.eval.metrics.detection.Box;
import dev.graft.eval.metrics.detection.Mask;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** The place of an object of COCO's files in its picture: a box, and a mask as polygons, as runs or as their compressed text. */
final class CocoRegions {
    private static final String MASK = "segmentation";

    private CocoRegions() {}

    static Box box(Fields thing) {
        double[] box = numbers(thing, "bbox", thing.list("bbox"));
        if (box.length != 4 || box[2] < 0 || box[3] < 0) {
            throw thing.invalid("bbox", "x, y, width and height");
        }
        return new Box(box[0], box[1], box[2], box[3]);
    }

    static Mask mask(Fields thing, Fields image) {
        int height = image.integer("height");
        int width = image.integer("width");
        JsonNode mask = thing.node(MASK);
        try {
            if (mask != null && mask.isArray() && !mask.isEmpty()) {
                return mask.valueStream()
                        .map(corners -> Mask.polygon(
                                numbers(thing, MASK, corners.valueStream().toList()), height, width))
                        .reduce(Mask::union)
                        .orElseThrow();
            }
            Fields runs = thing.object(MASK);
            if (!List.of(height, width).equals(runs.integersOrNull("size"))) {
                throw runs.invalid("size", "[" + height + ", " + width + "], the height and width of the picture");
            }
            JsonNode counts = runs.node("counts");
            if (counts != null && counts.isString()) {
                return Mask.compressed(height, width, counts.asString());
            }
            List<Integer> plain = runs.integersOrNull("counts");
            if (plain == null) {
                throw runs.invalid("counts", "the lengths of runs, or their compressed text");
            }
            return Mask.of(height, width, plain.stream().mapToInt(run -> run).toArray());
        } catch (IllegalArgumentException wrong) {
            throw new FormatException(thing.source(), "segmentation is " + wrong.getMessage(), wrong);
        }
    }

    private static double[] numbers(Fields thing, String name, List<JsonNode> numbers) {
        if (!numbers.stream().allMatch(each -> each.isNumber() && Double.isFinite(each.doubleValue()))) {
            throw thing.invalid(name, "numbers");
        }
        return numbers.stream().mapToDouble(JsonNode::doubleValue).toArray();
    }
}
