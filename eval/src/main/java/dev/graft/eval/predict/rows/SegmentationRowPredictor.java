package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.Segmenter;
import dev.graft.formats.AtomicWrite;
import dev.graft.models.Base;
import dev.graft.models.images.Picture;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Rows;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Predicts the class of each pixel of a picture. */
public record SegmentationRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        Base base = model.trainedBase();
        Segmenter segmenter = new Segmenter(base, model.hooks());
        Path masks = options.masks();
        Set<Path> written = new HashSet<>();
        for (int i = 0; i < rows.size() && !options.isStopped().getAsBoolean(); i++) {
            PictureSource source = RowText.picture(rows, i);
            Picture mask = segmenter.mask(source.read());
            Path file = masks == null ? null : masks.resolve(maskName(source, i, written));
            if (file != null) {
                AtomicWrite.bytes(file, mask.greyPng());
            }
            Map<String, Double> shares = shares(base.labels(), mask);
            answers.accept(new RowAnswer(() -> json(source, shares, file), () -> line(source, shares, file)));
        }
    }

    private static ObjectNode json(PictureSource source, Map<String, Double> shares, @Nullable Path file) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("image", source.name());
        ObjectNode classes = json.putObject("shares");
        shares.forEach(classes::put);
        return file == null ? json : json.put("mask", file.toString());
    }

    private static String line(PictureSource source, Map<String, Double> shares, @Nullable Path file) {
        String text = shares.entrySet().stream()
                .map(share -> String.format(Locale.ROOT, "%s %.1f%%", share.getKey(), 100 * share.getValue()))
                .collect(Collectors.joining(", "));
        return text + "  " + source.name() + (file == null ? "" : " -> " + file);
    }

    /** The picture's name with another ending; with the row's number where two pictures have one name. */
    private static Path maskName(PictureSource source, int row, Set<Path> taken) {
        String name = Path.of(source.name()).getFileName().toString().replaceFirst("\\.[^.]*$", "");
        Path file = Path.of(name + ".png");
        if (!taken.add(file)) {
            file = Path.of(name + "-" + (row + 1) + ".png");
            taken.add(file);
        }
        return file;
    }

    /** The share of points that each class has, the largest first. */
    private static Map<String, Double> shares(List<String> labels, Picture mask) {
        Map<String, Double> counts = new HashMap<>();
        byte[] classes = mask.values();
        for (byte one : classes) {
            counts.merge(labels.get(one & 0xFF), 1.0 / classes.length, Double::sum);
        }
        return counts.entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }
}
