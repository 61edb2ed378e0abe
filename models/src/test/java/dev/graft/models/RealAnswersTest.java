package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import dev.graft.models.audio.LogMel;
import dev.graft.models.audio.Waveform;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.GenerationConfig;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Real encoder-decoders against transformers on the same weights, read there by parity/python/real_seq2seq.py. */
@Tag("slow")
class RealAnswersTest {
    private static final JsonNode REFERENCE = Json.read(Path.of("../parity/fixtures/real/seq2seq.json"));

    private static int[] ints(JsonNode list) {
        return list.valueStream().mapToInt(JsonNode::intValue).toArray();
    }

    private static void requireLogits(Base base, Inputs in, JsonNode expected) {
        try (NoGrad noGrad = new NoGrad()) {
            Tensor logits = base.logits(in, ForwardPass.inference(Hooks.NONE));
            float[] last = Tensors.floats(logits.select(1, logits.size(1) - 1).select(0, 0));
            for (int i = 0; i < 8; i++) {
                assertThat(last[i])
                        .isCloseTo(expected.get("first_logits").get(i).floatValue(), within(2e-3f));
            }
            float largest = last[0];
            for (float logit : last) {
                largest = Math.max(largest, logit);
            }
            assertThat(largest).isCloseTo(expected.get("largest").floatValue(), within(2e-3f));
        }
    }

    @Test
    void theDistilledFlanT5NamesWhatWasDone() {
        Base base = Base.load("flan-t5-titles", Base.Options.DEFAULT);
        Generator generator = new Generator(base);
        for (JsonNode row : REFERENCE.get("t5")) {
            String text = row.get("text").stringValue();
            int[] prompt = ints(row.get("prompt"));
            assertThat(base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids())
                    .isEqualTo(prompt);
            long[][] ids = {Arrays.stream(prompt).asLongStream().toArray()};
            requireLogits(base, Inputs.of(ids).withDecoder(Inputs.of(new long[][] {{0}})), row);

            GeneratedText title = generator.generate(text, GenerateOptions.DEFAULT.withMaxNewTokens(16));
            assertThat(title.ids()).isEqualTo(ints(row.get("ids")));
            assertThat(title.text()).isNotBlank();
        }
    }

    @Test
    void whisperOfCtranslate2HearsWhatTheReferenceHears() {
        Base base = Base.load("whisper-tiny-en", Base.Options.DEFAULT);
        JsonNode row = REFERENCE.get("whisper");
        assertThat(base.unusedTensors()).isEmpty();
        assertThat(GenerationConfig.of(base).decoderStartTokens()).containsExactly(50257, 50362);

        LogMel logMel = base.logMel();
        Waveform waveform = Waveform.read(
                Path.of("../parity/fixtures/audio").resolve(row.get("audio").stringValue()));
        Inputs inputs = Inputs.images(Tensors.of(logMel.of(waveform), 1, 1, logMel.bands(), logMel.frames()));
        requireLogits(base, inputs.withDecoder(Inputs.of(new long[][] {{50257, 50362}})), row);

        int[] expected = ints(row.get("ids"));
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(expected.length);
        List<GeneratedText> said = new Generator(base).generate(inputs, options, Hooks.NONE, TextListener.SILENT);
        assertThat(said.get(0).ids()).isEqualTo(expected);
    }
}
