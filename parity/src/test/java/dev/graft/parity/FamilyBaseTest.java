package dev.graft.parity;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Architecture;
import dev.graft.models.Base;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The tiny bases that the tool carries; -Dgraft.docs=write makes their file from the committed ones. */
class FamilyBaseTest {
    private static final Path FILE = Path.of("src/main/resources/dev/graft/parity/families.json");
    private static final Path TARGETS = FixtureTree.COMMITTED.resolve("configs/default_targets.json");

    /** The types that the reference's tables name and that there are families for. */
    private static Set<String> types() {
        Set<String> known = ServiceLoader.load(Architecture.class).stream()
                .map(family -> family.get().modelType())
                .collect(Collectors.toSet());
        Set<String> types = new TreeSet<>();
        Json.read(TARGETS).path("tables").forEach(table -> types.addAll(table.propertyNames()));
        types.retainAll(known);
        return types;
    }

    /** The smallest committed base of a type that isn't quantised; an encoder-decoder that classifies tokens has the encoder alone. */
    private static Path smallest(String type) throws IOException {
        try (Stream<Path> folders = Files.list(FixtureTree.COMMITTED.resolve("bases"))) {
            return folders.filter(folder -> {
                        JsonNode config = Json.read(folder.resolve("config.json"));
                        return config.path("model_type").asString().equals(type)
                                && !(config.has("num_decoder_layers")
                                        && folder.toString().endsWith("-tokcls"))
                                && !config.has("quantization")
                                && !config.has("quantization_config");
                    })
                    .min(Comparator.comparing((Path folder) ->
                                    folder.resolve("model.safetensors").toFile().length())
                            .thenComparing(Comparator.naturalOrder()))
                    .orElseThrow();
        }
    }

    private static String file() throws IOException {
        StringBuilder file = new StringBuilder("{\n");
        for (String type : types()) {
            Path folder = smallest(type);
            ObjectNode tensors = JsonNodeFactory.instance.objectNode();
            try (TensorSource source = Safetensors.open(folder.resolve("model.safetensors"))) {
                for (String name : source.names()) {
                    ArrayNode shape = tensors.putArray(name);
                    Arrays.stream(source.info(name).shape()).forEach(shape::add);
                }
            }
            file.append(file.length() == 2 ? "" : ",\n")
                    .append("\"%s\": {\n\"config\": %s,\n\"tensors\": %s}"
                            .formatted(
                                    type,
                                    Json.compact(Json.read(folder.resolve("config.json"))),
                                    Json.compact(tensors)));
        }
        return file.append("\n}\n").toString();
    }

    @Test
    void theyAreTheFamiliesOfTheTables() throws IOException {
        if ("write".equals(System.getProperty("graft.docs"))) {
            Files.writeString(FILE, file());
        }
        assertThat(Files.readString(FILE))
                .as("families.json is older than the committed bases; run this test with -Dgraft.docs=write")
                .isEqualTo(file());
    }

    @Test
    void eachHasTheModulesOfItsFamily() {
        assertThat(types())
                .contains("bart", "deberta-v2", "dinov2", "electra", "gpt_neox", "xlm-roberta")
                .allSatisfy(type -> {
                    Base base = FamilyBase.of(type).orElseThrow();
                    assertThat(base.architecture().modelType()).isEqualTo(type);
                    assertThat(base.sites()).isNotEmpty();
                    assertThat(base.unusedTensors()).isEmpty();
                });
        assertThat(FamilyBase.of("mamba")).isEmpty();
    }

    @Tag("slow")
    @Test
    void aTreeWithoutBasesComparesTheTargetsOfEveryFamily(@TempDir Path root) throws IOException {
        FixtureTree.of(root, "configs/default_targets.json", "configs/defaults.json");
        List<CaseResult> targets = Parity.run(root, result -> {}).cases().stream()
                .filter(result -> result.id().startsWith("configs/default_targets/"))
                .toList();

        assertThat(targets).noneMatch(result -> result.status() == CaseResult.Status.FAILED);
        assertThat(targets.stream()
                        .filter(result -> result.status() == CaseResult.Status.PASSED)
                        .map(result -> result.id().substring(result.id().lastIndexOf('/') + 1))
                        .distinct())
                .containsAll(types().stream()
                        .filter(type -> !Set.of("vit", "dinov2").contains(type))
                        .toList());
    }
}
