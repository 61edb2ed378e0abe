package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Real weights from the packages of the catalogue compute what transformers computes with them: parity/python/real_goldens.py. */
@Tag("slow")
class RealGoldensTest {
    private static final JsonNode GOLDENS = Json.read(Path.of("../parity/fixtures/real/goldens.json"));

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bge-small-zh",
                "bge-small-en",
                "minilm-int8",
                "e5-small-int8",
                "paraphrase-minilm",
                "mpnet",
                "multilingual-e5-small"
            })
    void embeddingsAreThoseOfTheReference(String name) {
        JsonNode golden = GOLDENS.get(name);
        Base base = Base.load(name, Base.Options.DEFAULT);
        assertThat(base.unusedTensors())
                .allMatch(tensor -> tensor.startsWith("pooler.") || tensor.equals("embeddings.position_ids"));
        boolean first = golden.get("pooling").stringValue().equals("first");
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor[] units = new Tensor[golden.get("texts").size()];
            for (int i = 0; i < units.length; i++) {
                int[] ids = base.tokenizer()
                        .encode(golden.get("texts").get(i).stringValue(), EncodeOptions.DEFAULT)
                        .ids();
                assertThat(ids).isEqualTo(ints(golden.get("ids").get(i)));
                Tensor last = base.forward(inputs(ids), ForwardPass.inference(Hooks.NONE))
                        .last()
                        .select(0, 0);
                Tensor row = first ? last.select(0, 0) : last.mean(0);
                units[i] = row.div(row.norm());
            }
            float[] values = Tensors.floats(units[0]);
            for (int i = 0; i < 8; i++) {
                assertThat((double) values[i])
                        .isCloseTo(golden.get("first").get(i).doubleValue(), within(1e-5));
            }
            for (int i = 0; i < units.length; i++) {
                for (int j = 0; j < units.length; j++) {
                    assertThat(Tensors.item(Ops.sum(units[i].mul(units[j]), 0, false)))
                            .isCloseTo(golden.get("cosines").get(i).get(j).doubleValue(), within(1e-5));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma3-270m", "smollm2"})
    void lossesAndTextsAreThoseOfTheReference(String name) {
        JsonNode golden = GOLDENS.get(name);
        Base base = Base.load(name, Base.Options.DEFAULT);
        int[] ids = base.tokenizer()
                .encode(golden.get("text").stringValue(), EncodeOptions.DEFAULT)
                .ids();
        assertThat(ids).isEqualTo(ints(golden.get("ids")));
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor likelihoods = base.logits(inputs(ids), ForwardPass.inference(Hooks.NONE))
                    .narrow(1, 0, ids.length - 1)
                    .log_softmax(-1)
                    .gather(2, inputs(ids).ids().narrow(1, 1, ids.length - 1).unsqueeze(-1));
            assertThat(-Tensors.item(likelihoods.mean()))
                    .isCloseTo(golden.get("loss").doubleValue(), within(1e-4));
        }
        int[] greedy = new Generator(base)
                .generate(
                        List.of(ints(golden.get("prompt"))),
                        GenerateOptions.DEFAULT.withMaxNewTokens(12),
                        Hooks.NONE,
                        TextListener.SILENT)
                .get(0)
                .ids();
        assertThat(greedy).isEqualTo(ints(golden.get("greedy")));
    }

    private static Inputs inputs(int[] ids) {
        long[][] row = new long[1][ids.length];
        for (int i = 0; i < ids.length; i++) {
            row[0][i] = ids[i];
        }
        return Inputs.of(row);
    }

    private static int[] ints(JsonNode list) {
        return list.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
