package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.tensor.Cpu;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A base whose matrices are packed gives what it gave before: to the last bit in bf16, but for rounding in fp32. */
class PackedBaseTest {
    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "qwen2", "phi3", "mixtral", "llama4", "gpt2"})
    void answersAreTheSameToTheLastBit(String family) {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
        Base base = Base.load(Fixtures.folder(family), Base.Options.DEFAULT.withNumerics(Numerics.BF16));
        long[][] ids = new long[8][];
        for (int row = 0; row < ids.length; row++) {
            ids[row] = new Random(row).longs(5, 1, base.backbone().vocabSize()).toArray();
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            var before = base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE));
            base.pack();

            assertThat(base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE))
                            .equal(before))
                    .isTrue();
        }
        base.backbone().siblings().stream()
                .filter(siblings -> siblings.size() > 1)
                .forEach(siblings -> assertThat(Linear.fused(siblings))
                        .as("%s", siblings.get(0).name())
                        .isNotNull());
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "gpt2", "bert-seqcls", "modernbert-mlm"})
    void answersInFp32AreTheSameButForRounding(String family) {
        Base base = Base.load(Fixtures.folder(family));
        long[][] ids = {new Random(1).longs(9, 5, base.backbone().vocabSize()).toArray()};
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            assertThat(base.isBatchInvariant()).isFalse();
            var before = base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE));
            base.pack();

            assertThat(base.isBatchInvariant()).isEqualTo(Cpu.has("avx2"));
            var after = base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE));
            assertThat(Tensors.item(after.sub(before).abs().max())).isLessThan(1e-4);
        }
    }

    /** Where few rows are read; many are decoded as before. */
    @ParameterizedTest
    @CsvSource({"llama-gqa, INT4", "llama-gqa, INT8", "qwen2, INT4", "qwen2, INT8", "llama-gqa, NF4"})
    void answersOfAQuantisedBaseAreTheSameButForRounding(String family, Quantization kind) {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
        Base.Options options = Base.Options.DEFAULT.withQuantization(kind);
        Base exact = Base.load(Fixtures.folder(family), options);
        Base base = Base.load(Fixtures.folder(family), options.withNumerics(Numerics.BF16));
        long vocabulary = base.backbone().vocabSize();
        long[][] few = {new Random(1).longs(9, 5, vocabulary).toArray()};
        long[][] many = new long[9][];
        for (int row = 0; row < many.length; row++) {
            many[row] = new Random(row).longs(16, 5, vocabulary).toArray();
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            var expected = exact.logits(Inputs.of(few), ForwardPass.inference(Hooks.NONE));
            double before = distance(base.logits(Inputs.of(few), ForwardPass.inference(Hooks.NONE)), expected);
            var decoded = base.logits(Inputs.of(many), ForwardPass.inference(Hooks.NONE));
            base.pack();

            assertThat(distance(base.logits(Inputs.of(few), ForwardPass.inference(Hooks.NONE)), expected))
                    .isLessThan(Math.max(1.5 * before, 0.005));
            assertThat(base.logits(Inputs.of(many), ForwardPass.inference(Hooks.NONE))
                            .equal(decoded))
                    .isTrue();
        }
        base.backbone().siblings().stream()
                .filter(siblings -> siblings.size() > 1)
                .forEach(siblings -> assertThat(Linear.fused(siblings) != null).isEqualTo(kind == Quantization.INT4));
    }

    private static double distance(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).norm().div(b.norm()));
    }

    /** With padding behind them and without. */
    @ParameterizedTest
    @ValueSource(strings = {"bert-base", "roberta-mlm", "xlm-roberta-tokcls", "electra-mlm", "distilbert-mlm"})
    void textsInARowGetWhatTheyGetAlone(String family) {
        Base base = Base.load(Fixtures.folder(family));
        base.pack();
        Assumptions.assumeTrue(base.isBatchInvariant(), "no packed products in this processor");
        assertThat(base.backbone().supportsExactPacking()).isTrue();
        int[] lengths = {5, 1, 9, 2};
        for (int padding : new int[] {0, 3}) {
            int width = IntStream.of(lengths).sum() + padding;
            long[] ids = new Random(width)
                    .longs(width, 5, base.backbone().vocabSize())
                    .toArray();
            long[] mask = new long[width];
            long[] positions = new long[width];
            long[] segments = new long[width];
            Arrays.fill(segments, lengths.length);
            int start = 0;
            for (int text = 0; text < lengths.length; text++) {
                for (int i = 0; i < lengths[text]; i++) {
                    mask[start + i] = 1;
                    positions[start + i] = i;
                    segments[start + i] = text;
                }
                start += lengths[text];
            }
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Inputs row = new Inputs(
                        Tensors.of(ids, 1, width),
                        Tensors.of(mask, 1, width),
                        null,
                        Tensors.of(positions, 1, width),
                        null,
                        null,
                        Tensors.of(segments, 1, width));
                Tensor all =
                        base.forward(row, ForwardPass.inference(Hooks.NONE)).last();
                start = 0;
                for (int length : lengths) {
                    long[][] own = {Arrays.copyOfRange(ids, start, start + length)};
                    Tensor alone = base.forward(Inputs.of(own), ForwardPass.inference(Hooks.NONE))
                            .last();
                    assertThat(alone.equal(all.narrow(1, start, length)))
                            .as("%d tokens, %d of padding", length, padding)
                            .isTrue();
                    start += length;
                }
            }
        }
    }
}
