package dev.graft.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a text gets among others is what it gets alone but for rounding: 1e-5 in fp32, 1e-2 in bf16, of its size where that is above 1. */
class TextBatchTest {
    private static final double FP32 = 1e-5;
    private static final double BF16 = 1e-2;

    private static Encoding text(Random random, int length, int vocabulary) {
        int[] ids = random.ints(length, 3, vocabulary).toArray();
        int[] zeros = new int[length];
        int[] ones = IntStream.generate(() -> 1).limit(length).toArray();
        return new Encoding(ids, ones, zeros, zeros, Collections.nCopies(length, "x"), zeros, zeros, zeros, zeros);
    }

    private static List<Encoding> texts(Base base, int count, int longest) {
        Random random = new Random(5);
        int vocabulary = base.backbone().vocabSize();
        return Stream.generate(() -> text(random, 1 + random.nextInt(longest), vocabulary))
                .limit(count)
                .toList();
    }

    private static List<Served> served(Base base, String family, String adapters) {
        List<Served> all = new ArrayList<>(List.of(Served.base(family)));
        for (String name : adapters == null ? new String[0] : adapters.split(" ")) {
            all.add(Tiny.served(base, family, name, all.size()));
        }
        return all;
    }

    private static Base base(String family, Task task, Numerics numerics) {
        return Base.load(
                Tiny.FIXTURES.resolve("bases").resolve(family),
                Base.Options.of(task).withNumerics(numerics));
    }

    @ParameterizedTest
    @CsvSource({
        "bert-base, lora lora-all-linear",
        "modernbert-mlm,",
        "roberta-mlm,",
        "deberta-v3-mlm,",
        "mpnet-mlm,",
        "electra-mlm,",
        "distilbert-mlm,",
        "qwen3,"
    })
    void vectorsAreThoseOfPassesOfOne(String family, String adapters) {
        Base base = base(family, Task.FEATURE_EXTRACTION, Numerics.FP32);
        Embedder embedder = new Embedder(base);
        List<Encoding> texts = texts(base, 80, 24);
        for (Served served : served(base, family, adapters)) {
            Hooks hooks = served.selection().hooks();
            List<float[]> together = embedder.embed(texts, hooks);
            for (int i = 0; i < texts.size(); i++) {
                check(together.get(i), embedder.embed(texts.get(i), hooks), FP32, served.name());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "bert-seqcls, SEQ_CLS, adalora-bert beft-bert bitfit-like dora ia3 ln-tuning-bert lora oft-bert p-tuning prompt-tuning",
        "roberta-seqcls, SEQ_CLS, lora",
        "distilbert-seqcls, SEQ_CLS, lora",
        "deberta-v2-seqcls, SEQ_CLS,",
        "llama-seqcls, SEQ_CLS, lora",
        "mixtral-seqcls, SEQ_CLS,",
        "bert-tokcls, TOKEN_CLS, dora ia3 lora prompt-tuning",
        "xlm-roberta-tokcls, TOKEN_CLS,",
        "qwen3-tokcls, TOKEN_CLS,"
    })
    void labelsAreThoseOfPassesOfOne(String family, Task task, String adapters) {
        Base base = base(family, task, Numerics.FP32);
        List<Encoding> texts = texts(base, 40, 24);
        for (Served served : served(base, family, adapters)) {
            Hooks hooks = served.selection().hooks();
            for (TextBatch batch : TextBatch.of(texts, base.backbone())) {
                List<float[]> together = logits(base, batch, hooks);
                for (int row = 0; row < together.size(); row++) {
                    TextBatch alone =
                            new TextBatch(List.of(0), List.of(batch.texts().get(row)));
                    check(together.get(row), logits(base, alone, hooks).get(0), FP32, served.name());
                }
            }
        }
    }

    /** In bf16 a value is rounded to 8 bits at each layer, so that another order of sums may be another value. */
    @Test
    void bf16IsAsCloseAsItsRounding() {
        Base base = base("bert-base", Task.FEATURE_EXTRACTION, Numerics.BF16);
        Embedder embedder = new Embedder(base);
        List<Encoding> texts = texts(base, 60, 24);
        Hooks hooks = Tiny.served(base, "bert-base", "lora", 1).selection().hooks();
        List<float[]> together = embedder.embed(texts, hooks);
        for (int i = 0; i < texts.size(); i++) {
            check(together.get(i), embedder.embed(texts.get(i), hooks), BF16, "lora");
        }
    }

    private static List<float[]> logits(Base base, TextBatch batch, Hooks hooks) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor all = Ops.to(base.logits(batch.inputs(), Pass.inference(hooks)), ScalarType.Float);
            List<float[]> each = new ArrayList<>();
            for (int row = 0; row < batch.texts().size(); row++) {
                Tensor own = all.narrow(0, row, 1);
                each.add(Tensors.floats(
                        base.task() == Task.TOKEN_CLS
                                ? own.narrow(1, 0, batch.texts().get(row).length())
                                : own));
            }
            return each;
        }
    }

    private static void check(float[] together, float[] alone, double tolerance, String name) {
        assertThat(together).hasSameSizeAs(alone);
        for (int i = 0; i < alone.length; i++) {
            assertThat((double) together[i])
                    .as(name)
                    .isCloseTo(alone[i], within(tolerance * Math.max(1, Math.abs(alone[i]))));
        }
    }

    @Test
    void textsAreTogetherThatHaveNearlyOneLength() {
        Base base = base("bert-base", Task.FEATURE_EXTRACTION, Numerics.FP32);
        List<Encoding> texts = texts(base, 300, 30);
        List<TextBatch> batches = TextBatch.of(texts, base.backbone());

        assertThat(batches.stream().flatMap(batch -> batch.places().stream()))
                .as("each text is in one batch")
                .doesNotHaveDuplicates()
                .hasSize(300);
        assertThat(batches).hasSize(10).allSatisfy(batch -> {
            assertThat(batch.texts().size()).isLessThanOrEqualTo(32);
            int shortest = batch.texts().get(0).length();
            int longest = batch.texts().get(batch.texts().size() - 1).length();
            assertThat(longest - shortest).isLessThanOrEqualTo(5);
        });
    }

    @Test
    void aPassHasSoManyTokens() {
        Base base = base("qwen3", Task.FEATURE_EXTRACTION, Numerics.FP32);
        Random random = new Random(1);
        assertThat(TextBatch.of(
                        Stream.generate(() -> text(random, 60, 90)).limit(40).toList(), base.backbone()))
                .extracting(batch -> batch.texts().size())
                .containsExactly(17, 17, 6);
    }
}
