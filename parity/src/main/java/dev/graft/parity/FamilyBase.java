package dev.graft.parity;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * Tiny bases of the families that the reference's tables name, for what a base's modules decide and a tree of cases may lack. Their
 * configurations and the names and shapes of their tensors are those of committed models of the reference; the values are drawn.
 */
final class FamilyBase {
    private static final String FILE = "families.json";
    private static final double DEVIATION = 0.5;

    private FamilyBase() {}

    /** The base of a {@code model_type}, if Graft has the family. */
    static Optional<Base> of(String modelType) {
        JsonNode family = families().path(modelType);
        if (family.isMissingNode()) {
            return Optional.empty();
        }
        PretrainedCheckpoint checkpoint = new PretrainedCheckpoint(
                Fields.of(modelType, family.required("config")),
                randomTensors(family.required("tensors")),
                Path.of(modelType));
        return Optional.of(Base.of("a tiny " + modelType, checkpoint, Base.Options.DEFAULT));
    }

    private static JsonNode families() {
        try (InputStream in = Objects.requireNonNull(FamilyBase.class.getResourceAsStream(FILE))) {
            return Json.parse(FILE, in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + FILE, e);
        }
    }

    /** Values that depend on their name alone, so that decompositions of them are as those of any matrix. */
    private static TensorSource randomTensors(JsonNode shapes) {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        shapes.properties()
                .forEach(tensor -> infos.put(
                        tensor.getKey(),
                        new TensorInfo(
                                tensor.getKey(),
                                DType.F32,
                                tensor.getValue()
                                        .valueStream()
                                        .mapToLong(JsonNode::longValue)
                                        .toArray())));
        return new GeneratedTensors(
                Path.of(FILE),
                infos,
                info -> Tensors.bytes(Rng.of(1, info.name()).normal(0, DEVIATION, info.shape())));
    }
}
