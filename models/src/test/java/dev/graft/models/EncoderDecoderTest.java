package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** T5 as an encoder-decoder; its numbers are compared with the reference's by the parity cases. */
class EncoderDecoderTest {
    private static final Base T5 = Base.load(Fixtures.folder("t5"));
    private static final GenerateOptions TO_THE_END =
            GenerateOptions.DEFAULT.withMaxNewTokens(9).withEndTokens(Set.of());
    private static final List<int[]> PROMPTS =
            List.of(new int[] {5, 9, 12, 1}, new int[] {30, 1}, new int[] {7, 7, 21, 40, 3, 1});

    private static List<GeneratedText> generate(Base base, GenerateOptions options, List<int[]> prompts) {
        return new Generator(base, null).generate(prompts, options, Hooks.NONE, TextListener.SILENT);
    }

    @Test
    void textsOfDifferentLengthsAreAnsweredTogetherAsAlone() {
        List<GeneratedText> together = generate(T5, TO_THE_END, PROMPTS);

        for (int i = 0; i < PROMPTS.size(); i++) {
            List<GeneratedText> alone = generate(T5, TO_THE_END, List.of(PROMPTS.get(i)));
            assertThat(together.get(i).ids()).isEqualTo(alone.get(0).ids()).hasSize(9);
        }
    }

    @Test
    void rowsThatEndLeaveTheBatch() {
        List<GeneratedText> together = generate(T5, TO_THE_END, PROMPTS);
        int end = together.get(0).ids()[2];

        List<GeneratedText> stopped = generate(T5, TO_THE_END.withEndTokens(Set.of(end)), PROMPTS);

        for (int i = 0; i < PROMPTS.size(); i++) {
            int[] whole = together.get(i).ids();
            int[] cut = stopped.get(i).ids();
            assertThat(whole).startsWith(cut);
            boolean ended = cut[cut.length - 1] == end;
            assertThat(stopped.get(i).reason()).isEqualTo(ended ? FinishReason.END_TOKEN : FinishReason.LENGTH);
        }
        assertThat(stopped.get(0).ids()).hasSizeLessThan(9);
    }

    @Test
    void theCacheGivesTheLogitsOfWholePasses() {
        Inputs source = Inputs.of(new long[][] {{5, 9, 12, 1}, {30, 8, 6, 1}});
        long[][] answers = {{0, 4, 17, 9}, {0, 22, 3, 5}};
        try (NoGrad noGrad = new NoGrad();
                KvCache cache = new KvCache(4)) {
            Tensor whole = T5.logits(source.withDecoder(Inputs.of(answers)), ForwardPass.inference(Hooks.NONE));
            List<Tensor> steps = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Inputs next = Inputs.of(new long[][] {{answers[0][i]}, {answers[1][i]}});
                steps.add(T5.logits(source.withDecoder(next), ForwardPass.cached(Hooks.NONE, cache)));
            }
            Tensor stepped = Ops.cat(1, steps.toArray(Tensor[]::new));

            assertThat(Fixtures.difference(stepped, whole)).isLessThan(1e-5);
        }
    }

    @Test
    void needsWhatItsDecoderHasSeen() {
        assertThatThrownBy(() -> T5.logits(Inputs.of(new long[][] {{5, 1}}), ForwardPass.inference(Hooks.NONE)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("decoder");
    }

    @Test
    void refusesToAnswerWithoutATokenToStartWith(@TempDir Path folder) throws IOException {
        Fixtures.copy("t5", folder, config -> config.remove("decoder_start_token_id"));
        Files.delete(folder.resolve("generation_config.json"));
        Base silent = Base.load(folder);

        assertThatThrownBy(() -> generate(silent, TO_THE_END, PROMPTS))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("decoder_start_token_id");
    }

    @Test
    void refusesAnActivationThatItLacks(@TempDir Path folder) {
        Path changed = Fixtures.copy("t5", folder, config -> config.put("feed_forward_proj", "gated-mish"));

        assertThatThrownBy(() -> Base.load(changed))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("mish");
    }

    @Test
    void isTheSameAfterSavingAndLoading(@TempDir Path folder) {
        T5.save(folder.resolve("saved"));
        Inputs in = Inputs.of(new long[][] {{5, 9, 12, 1}}).withDecoder(Inputs.of(new long[][] {{0, 4}}));

        Tensor again = Base.load(folder.resolve("saved")).logits(in, ForwardPass.inference(Hooks.NONE));

        assertThat(Tensors.floats(again)).isEqualTo(Tensors.floats(T5.logits(in, ForwardPass.inference(Hooks.NONE))));
    }

    /** The head was the matrix of token embeddings, before which this model scales. */
    @Test
    void isTheSameWithAnotherHeadAfterSavingAndLoading(@TempDir Path folder) {
        Inputs in = Inputs.of(new long[][] {{5, 9, 12, 1}}).withDecoder(Inputs.of(new long[][] {{0, 4}}));
        Tensor table = T5.parameters().get("shared.weight");
        Base other = T5.withParameters(Map.of("lm_head.weight", Ops.scale(table, 2)));
        other.save(folder.resolve("saved"));

        Tensor again = Base.load(folder.resolve("saved")).logits(in, ForwardPass.inference(Hooks.NONE));

        assertThat(Tensors.floats(again))
                .isEqualTo(Tensors.floats(other.logits(in, ForwardPass.inference(Hooks.NONE))));
    }
}
