package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.selective.FullFineTuning;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.EmbeddingEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.TrainingObjective.EmbeddingLossType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Losses, gradients and vectors are those of sentence-transformers, as parity/python/embedding_goldens.py has them. */
class EmbeddingLossTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final Path BERT = FIXTURES.resolve("bases/bert-base");
    private static final JsonNode GOLDEN = Json.read(FIXTURES.resolve("embeddings/sentence-transformers.json"));
    private static final String WEIGHT = "encoder.layer.0.attention.self.query.weight";
    private static final int[] ALL = {0, 1, 2, 3};

    @TempDir
    private Path folder;

    private static TrainingObjective.Embedding objective(EmbeddingLossType form, int... sizes) {
        List<Integer> list = Arrays.stream(sizes).boxed().toList();
        return new TrainingObjective.Embedding(form, 20, 1.5, list);
    }

    private static TrainingObjective.Embedding objective(String name) {
        return switch (name) {
            case "in_batch_negatives", "in_batch_negatives_hard" -> objective(EmbeddingLossType.IN_BATCH_NEGATIVES);
            case "in_batch_negatives_scale" ->
                new TrainingObjective.Embedding(EmbeddingLossType.IN_BATCH_NEGATIVES, 50, 5, List.of());
            case "cosine" -> objective(EmbeddingLossType.COSINE);
            case "triplet" -> objective(EmbeddingLossType.TRIPLET);
            case "matryoshka" -> objective(EmbeddingLossType.IN_BATCH_NEGATIVES, 16, 8, 4);
            default -> objective(EmbeddingLossType.COSINE, 16, 8);
        };
    }

    private static Row row(int number, String name) {
        JsonNode texts = GOLDEN.path("pairs").get(number);
        String first = texts.get(0).stringValue();
        String second = texts.get(1).stringValue();
        if (name.endsWith("cosine")) {
            return new Row.ScoredPair(
                    first, second, GOLDEN.path("scores").get(number).doubleValue());
        }
        boolean triplet = name.equals("triplet") || name.endsWith("hard");
        return new Row.TextPair(first, second, triplet ? texts.get(2).stringValue() : null);
    }

    private static Examples examples(Base base, String name) {
        List<Row> rows = new ArrayList<>();
        for (int i : ALL) {
            rows.add(row(i, name));
        }
        return Examples.encode(
                Rows.of("rows", rows), new EmbeddingEncoder(base.tokenizer(), objective(name)), 64, Overflow.TRUNCATE);
    }

    private static Base bert(Path path) {
        return Base.load(path, Base.Options.of(Task.FEATURE_EXTRACTION).withNumerics(Numerics.FP32));
    }

    private Base withPooling(String mode, boolean normalized) throws IOException {
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")) {
            Files.copy(BERT.resolve(file), folder.resolve(file));
        }
        Files.createDirectory(folder.resolve("1_Pooling"));
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode\": \"" + mode + "\"}");
        String normalize = ", {\"path\": \"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}";
        Files.writeString(
                folder.resolve("modules.json"),
                "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"
                        + " {\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}"
                        + (normalized ? normalize : "") + "]");
        return bert(folder);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "in_batch_negatives",
                "in_batch_negatives_hard",
                "in_batch_negatives_scale",
                "cosine",
                "triplet",
                "matryoshka",
                "matryoshka_cosine"
            })
    void lossAndGradientAreThoseOfSentenceTransformers(String name) throws IOException {
        Adapter adapter = Adapter.create(withPooling("mean", false), FullFineTuning.DEFAULT, 1);
        adapter.trainable().values().forEach(parameter -> parameter.set_requires_grad(true));
        Base base = adapter.base();
        Hooks hooks = Selection.of(adapter).hooks();
        LossFunction lossFunction = Losses.of(base, objective(name), 0);
        Batch batch = examples(base, name).batch(ALL, 0);
        double expected = GOLDEN.path("losses").path(name).doubleValue();

        assertThat(lossFunction.evaluate(hooks, batch).mean()).isCloseTo(expected, offset(1e-5));
        assertThat(lossFunction.backward(hooks, batch, 4).mean()).isCloseTo(expected, offset(1e-5));

        JsonNode gradient = GOLDEN.path("gradients").path(name);
        float[] own = gradient(adapter.trainable());
        for (int i = 0; i < gradient.size(); i++) {
            assertThat((double) own[i]).isCloseTo(gradient.get(i).doubleValue(), offset(2e-5));
        }
    }

    private static float[] gradient(Map<String, Tensor> parameters) {
        Tensor weight = parameters.entrySet().stream()
                .filter(parameter -> parameter.getKey().endsWith(WEIGHT))
                .findFirst()
                .orElseThrow()
                .getValue();
        try (Scope scope = new Scope()) {
            return Tensors.floats(weight.grad());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", "normalized"})
    void vectorsAreThoseOfSentenceTransformers(String mode) throws IOException {
        Base base = mode.equals("normalized") ? withPooling("mean", true) : withPooling(mode, false);
        JsonNode vectors = GOLDEN.path("vectors").path(mode);
        Losses.of(base, objective("triplet"), 0)
                .predict(Hooks.NONE, examples(base, "triplet").batch(ALL, 0), prediction -> {
                    Prediction.Embedded row = (Prediction.Embedded) prediction;
                    float[] own = row.texts().get(0).vector();
                    JsonNode expected = vectors.get(row.row());
                    assertThat(own).hasSize(expected.size());
                    for (int i = 0; i < own.length; i++) {
                        assertThat((double) own[i]).isCloseTo(expected.get(i).doubleValue(), offset(1e-5));
                    }
                });
    }

    @Test
    void aBatchOfPairsIsNotDivided() {
        Base base = bert(BERT);
        Batch pairs = examples(base, "in_batch_negatives").batch(ALL, 0);
        assertThat(pairs.units()).isEqualTo(4);
        assertThat(pairs.parts(2)).hasSize(1);
        Batch scored = examples(base, "cosine").batch(ALL, 0);
        assertThat(scored.parts(2)).hasSize(2);
        LossFunction lossFunction = Losses.of(base, objective("cosine"), 0);
        Loss parts = scored.parts(2).stream()
                .map(part -> lossFunction.evaluate(Hooks.NONE, part))
                .reduce(Loss.NONE, Loss::plus);
        assertThat(parts.mean())
                .isCloseTo(lossFunction.evaluate(Hooks.NONE, scored).mean(), offset(1e-6));
    }

    @Test
    void sizesAndModulesWithoutAMeaningAreRefused() throws IOException {
        Base base = bert(BERT);
        TrainingObjective tooWide = objective(EmbeddingLossType.IN_BATCH_NEGATIVES, 64);
        assertThatThrownBy(() -> Losses.of(base, tooWide, 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("embedding.sizes has 64, but the vectors of");
        assertThatThrownBy(() -> objective(EmbeddingLossType.COSINE, 8, 8)).hasMessageContaining("expected different");
        Base dense = withPooling("mean", false);
        Files.writeString(
                folder.resolve("modules.json"),
                "[{\"path\": \"2_Dense\", \"type\": \"sentence_transformers.models.Dense\"}]");
        assertThatThrownBy(dense::sentencePooling)
                .hasMessageContaining("modules.json")
                .hasMessageContaining("has the module \"sentence_transformers.models.Dense\"");
        Files.writeString(
                folder.resolve("modules.json"),
                "[{\"path\": \"../x\", \"type\": \"sentence_transformers.models.Pooling\"}]");
        assertThatThrownBy(dense::sentencePooling).hasMessageContaining("has the path \"../x\"");
    }
}
