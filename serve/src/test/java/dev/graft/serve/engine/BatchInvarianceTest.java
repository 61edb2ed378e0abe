package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.matrices.Quantization;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** An answer is the same to the last bit whatever its neighbours are. */
class BatchInvarianceTest {
    private static final Engine.Options SMALL = new Engine.Options(16, 512, 8, 1 << 20);

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, fp32, 1",
        "llama-gqa, bf16, 2",
        "gpt2, fp32, 3",
        "gemma3, bf16, 4",
        "mixtral, fp32, 5",
        "gemma2, bf16, 6",
        "llama4, fp32, 7",
        "llama4, bf16, 8"
    })
    void someAnswersAreTheSameAlone(String family, String numerics, long seed) {
        Base base = Tiny.base(family, Numerics.of(numerics));
        base.pack();
        Random random = new Random(seed);
        List<String> names = new ArrayList<>(Tiny.adapters(family));
        Collections.shuffle(names, random);
        check(base, served(base, family, names.subList(0, Math.min(names.size(), 6))), 18, random);
    }

    /** Steps read the codes, prompts decode them; prompts of one chunk may do either. */
    @ParameterizedTest
    @CsvSource({
        "llama-gqa, INT4, 31",
        "llama-gqa, INT8, 32",
        "qwen2, INT4, 33",
        "gemma3, INT8, 34",
        "mixtral, INT4, 35",
        "llama-gqa, NF4, 36"
    })
    void someAnswersOfAQuantisedBaseAreTheSameAlone(String family, Quantization kind, long seed) {
        Base base = Tiny.base(family, Numerics.BF16, kind);
        base.pack();
        Random random = new Random(seed);
        List<String> names = new ArrayList<>(Tiny.adapters(family));
        names.removeIf(name -> !loads(base, family, name));
        Collections.shuffle(names, random);
        check(base, served(base, family, names.subList(0, Math.min(names.size(), 6))), 18, random);
    }

    /** Some adapters need the base's whole weights. */
    private static boolean loads(Base base, String family, String adapter) {
        try {
            Tiny.served(base, family, adapter, 1);
            return true;
        } catch (InputException refused) {
            return false;
        }
    }

    /** Whole, and in the blocks of its GGUF file. */
    @ParameterizedTest
    @EnumSource(names = {"NONE", "KEEP"})
    @Tag("slow")
    void answersOfSmollm2AreTheSameAlone(Quantization kind) {
        Base base = Base.load(
                "smollm2",
                Base.Options.of(Task.CAUSAL_LM).withNumerics(Numerics.BF16).withQuantization(kind));
        base.pack();
        check(base, withLora(base), 24, new Random(37));
        check(base, ofTwoLengths(base), Engine.Options.DEFAULT);
    }

    /** Prompts that come together, many of them of one length, which are read in one pass where products allow. */
    @ParameterizedTest
    @CsvSource({"llama-gqa, fp32", "llama-gqa, bf16", "gemma2, fp32", "mistral, bf16", "bloom, bf16", "gpt2, fp32"})
    void promptsOfOneLengthAreAnsweredAsAlone(String family, String numerics) {
        Base base = Tiny.base(family, Numerics.of(numerics));
        base.pack();
        check(base, ofTwoLengths(base), new Engine.Options(16, 256, 32, 1 << 20));
    }

    private static List<GenerationRequest> ofTwoLengths(Base base) {
        List<ServedModel> served = withLora(base);
        Random random = new Random(38);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            int length = i % 5 == 4 ? 44 : 40;
            int[] prompt = random.ints(length, 3, base.backbone().vocabSize()).toArray();
            requests.add(
                    GenerationRequest.of(prompt, GenerateOptions.DEFAULT.withMaxNewTokens(4), served.get(i % 3 / 2))
                            .withLogprobs(2));
        }
        return requests;
    }

    private static List<ServedModel> withLora(Base base) {
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT.withTargets(TargetModules.ALL_LINEAR)), 5);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().values().forEach(value -> value.add_(new Scalar(0.002)));
        }
        return List.of(ServedModel.base("base"), new ServedModel("lora", 1, Selection.of(adapter)));
    }

    /** Scores that fall with the distance, positions that are counted, windows, a recurrent state. */
    @ParameterizedTest
    @CsvSource({
        "bloom, fp32, 6",
        "bloom, bf16, 7",
        "mpt, bf16, 8",
        "opt, bf16, 9",
        "gpt-neo, fp32, 10",
        "rwkv, fp32, 41",
        "rwkv, bf16, 42",
        "nemotron-h, fp32, 43",
        "nemotron-h, bf16, 44"
    })
    void someAnswersOfOtherFamiliesAreTheSameAlone(String family, String numerics, long seed) {
        Base base = Tiny.base(family, Numerics.of(numerics));
        base.pack();
        check(base, withLora(base), 12, new Random(seed));
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, fp32, 11",
        "llama-gqa, bf16, 12",
        "llama-mha, fp32, 13",
        "gpt2, bf16, 14",
        "gemma2, fp32, 20",
        "gemma3, fp32, 15",
        "mistral, fp32, 16",
        "mixtral, bf16, 17",
        "qwen2, fp32, 18",
        "qwen3, bf16, 19"
    })
    @Tag("slow")
    void allAnswersAreTheSameAlone(String family, String numerics, long seed) {
        Base base = Tiny.base(family, Numerics.of(numerics));
        base.pack();
        check(base, served(base, family, Tiny.adapters(family)), 200, new Random(seed));
    }

    private static void check(Base base, List<ServedModel> served, int count, Random random) {
        check(base, asks(base, served, count, random), SMALL);
    }

    private static void check(Base base, List<GenerationRequest> requests, Engine.Options options) {
        List<RecordingListener> together = new ArrayList<>();
        try (Engine engine = new Engine(base, null, options)) {
            for (GenerationRequest request : requests) {
                together.add(new RecordingListener());
                engine.submit(request, together.get(together.size() - 1));
            }
            together.forEach(RecordingListener::await);
        }
        try (Engine engine = new Engine(base, null, new Engine.Options(8, 1, options.prefillChunk(), 0))) {
            for (int i = 0; i < requests.size(); i++) {
                RecordingListener alone = new RecordingListener();
                engine.submit(requests.get(i), alone);
                assertThat(alone.await().tokens)
                        .as(
                                "%s, %d tokens",
                                requests.get(i).model().name(), requests.get(i).prompt().length)
                        .isEqualTo(together.get(i).tokens);
            }
        }
    }

    @Test
    void answersAreTheGenerators() {
        check(List.of("lora-all-linear", "dora", "ia3", "prefix-tuning", "prompt-tuning", "lora-alora", "boft"), 14);
    }

    /** X-LoRA's frozen model and the shadow have caches of their own, which chunks of prompts share too. */
    @Test
    void answersOfWhatReadsFirstAreTheSameAloneAndTheGenerators() {
        Base base = Tiny.base("llama-gqa", Numerics.FP32);
        List<ServedModel> served =
                new ArrayList<>(served(base, "llama-gqa", List.of("lora", "ia3", "shadow", "shadow-narrow")));
        served.addAll(Tiny.routers(base));
        check(base, served, 20, new Random(21));
        checkGenerator(base, served, 12);
    }

    @Test
    @Tag("slow")
    void answersOfAllMethodsAreTheGenerators() {
        check(Tiny.adapters("llama-gqa"), 100);
    }

    private static void check(List<String> names, int count) {
        Base base = Tiny.base("llama-gqa", Numerics.FP32);
        checkGenerator(base, served(base, "llama-gqa", names), count);
    }

    private static void checkGenerator(Base base, List<ServedModel> served, int count) {
        List<GenerationRequest> requests = asks(base, served, count, new Random(7));
        Generator generator = new Generator(base, null);
        try (Engine engine = new Engine(base, null, SMALL)) {
            List<RecordingListener> heard = new ArrayList<>();
            for (GenerationRequest request : requests) {
                heard.add(new RecordingListener());
                engine.submit(request, heard.get(heard.size() - 1));
            }
            for (int i = 0; i < requests.size(); i++) {
                GenerationRequest request = requests.get(i);
                GeneratedText expected = generator
                        .generate(
                                List.of(request.prompt()),
                                request.options(),
                                request.model().selection().hooks(),
                                TextListener.SILENT)
                        .get(0);
                assertThat(heard.get(i).await().end.join().generated().ids())
                        .as(request.model().name())
                        .isEqualTo(expected.ids());
            }
        }
    }

    private static List<ServedModel> served(Base base, String family, List<String> names) {
        List<ServedModel> served = new ArrayList<>(List.of(ServedModel.base(family)));
        names.forEach(name -> served.add(Tiny.served(base, family, name, served.size())));
        return served;
    }

    private static List<GenerationRequest> asks(Base base, List<ServedModel> all, int count, Random random) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            GenerateOptions options = GenerateOptions.DEFAULT
                    .withMaxNewTokens(1 + random.nextInt(10))
                    .withEndTokens(Set.of())
                    .withSeed(random.nextLong())
                    .withTemperature(random.nextInt(3) * 0.5);
            int[] prompt = random.ints(
                            1 + random.nextInt(24), 3, base.backbone().vocabSize())
                    .toArray();
            if (random.nextInt(3) == 0 && i > 0) {
                // Begins as another one does, so that chunks are shared.
                int[] other = requests.get(i - 1).prompt();
                System.arraycopy(other, 0, prompt, 0, Math.min(other.length, prompt.length));
            }
            ServedModel model = all.get(i < all.size() ? i : random.nextInt(all.size()));
            requests.add(GenerationRequest.of(prompt, options, model).withLogprobs(2));
        }
        return requests;
    }
}
