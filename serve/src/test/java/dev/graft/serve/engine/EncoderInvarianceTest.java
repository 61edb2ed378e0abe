package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.EngineObserver;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a text is answered is the same to the last bit whatever its neighbours are, and what a plain pass over it gives but for rounding: 1e-5
 * in fp32, 2e-2 in bf16, of its size where that is above 1.
 */
@Timeout(300)
class EncoderInvarianceTest {
    private static final Random RANDOM = new Random(3);

    /** How long the fixtures' prompts are. */
    private static final int PROMPT = 5;

    @TempDir
    Path copy;

    static Encoding text(Random random, int length, int vocabulary) {
        int[] ids = random.ints(length, 3, vocabulary).toArray();
        int[] zeros = new int[length];
        int[] ones = IntStream.generate(() -> 1).limit(length).toArray();
        return new Encoding(ids, ones, zeros, zeros, Collections.nCopies(length, "x"), zeros, zeros, zeros, zeros);
    }

    private static List<ServedModel> served(Base base, String family, String adapters) {
        List<ServedModel> all = new ArrayList<>(List.of(ServedModel.base(family)));
        for (String name : adapters == null ? new String[0] : adapters.split(" ")) {
            all.add(name.equals("xlora") ? Tiny.mixture(base, family) : Tiny.served(base, family, name, all.size()));
        }
        return all;
    }

    @ParameterizedTest
    @CsvSource({
        "bert-base, FEATURE_EXTRACTION, fp32, lora lora-all-linear",
        "bert-base, FEATURE_EXTRACTION, bf16, lora lora-all-linear",
        "modernbert-mlm, FEATURE_EXTRACTION, fp32,",
        "roberta-mlm, FEATURE_EXTRACTION, bf16,",
        "roberta-mlm, FEATURE_EXTRACTION, fp32,",
        "deberta-v3-mlm, FEATURE_EXTRACTION, fp32,",
        "mpnet-mlm, MASKED_LM, fp32,",
        "electra-mlm, FEATURE_EXTRACTION, fp32,",
        "distilbert-mlm, FEATURE_EXTRACTION, fp32,",
        "qwen3, FEATURE_EXTRACTION, fp32,",
        "qwen3-long, FEATURE_EXTRACTION, fp32,",
        "rwkv, FEATURE_EXTRACTION, fp32,",
        "nemotron-h, FEATURE_EXTRACTION, fp32,",
        "bert-seqcls, SEQ_CLS, fp32, adalora-bert beft-bert bitfit-like dora ia3 ln-tuning-bert lora oft-bert p-tuning"
                + " prompt-tuning xlora",
        "bert-seqcls, SEQ_CLS, bf16, dora ia3 lora",
        "roberta-seqcls, SEQ_CLS, fp32, lora",
        "distilbert-seqcls, SEQ_CLS, fp32, lora",
        "deberta-v2-seqcls, SEQ_CLS, fp32,",
        "llama-seqcls, SEQ_CLS, fp32, lora",
        "mixtral-seqcls, SEQ_CLS, fp32,",
        "bert-tokcls, TOKEN_CLS, fp32, dora ia3 lora prompt-tuning",
        "xlm-roberta-tokcls, TOKEN_CLS, fp32,",
        "qwen3-tokcls, TOKEN_CLS, bf16,"
    })
    void answersAreTheSameAlone(String family, Task task, String numerics, String adapters) throws IOException {
        Base base = Base.load(folder(family), Base.Options.of(task).withNumerics(Numerics.of(numerics)));
        List<ServedModel> all = served(base, family, adapters);
        List<EncodeRequest> requests = asks(base, all);
        List<List<float[]>> plain = requests.stream()
                .map(request -> request.texts().stream()
                        .map(text -> plain(base, text, request.model()))
                        .toList())
                .toList();
        base.pack();
        boolean steady = Stream.of("mixtral", "deberta", "nemotron", "rwkv").noneMatch(family::startsWith);
        assertThat(base.isBatchInvariant()).isEqualTo(steady);

        CountDownLatch submitted = new CountDownLatch(1);
        List<List<float[]>> together;
        try (EncoderEngine engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT, waitingFor(submitted))) {
            together = answers(engine, requests, submitted);
        }
        List<EncodeJob> texts = requests.stream()
                .flatMap(request ->
                        EncodeJob.of(new EncodeJob.RequestState(request, new RecordingEncodeListener()), base).stream())
                .toList();
        assertThat(EncodeJob.batches(texts, 32, 1024).stream().anyMatch(pass -> pass.size() > 1))
                .as("texts share passes")
                .isEqualTo(steady);
        try (EncoderEngine engine = new EncoderEngine(base, new EncoderEngine.Options(100, 1, 1))) {
            double tolerance = numerics.equals("fp32") ? 1e-5 : 2e-2;
            for (int i = 0; i < requests.size(); i++) {
                ServedModel model = requests.get(i).model();
                for (int j = 0; j < together.get(i).size(); j++) {
                    Encoding text = requests.get(i).texts().get(j);
                    float[] own = together.get(i).get(j);
                    assertThat(own)
                            .as("%s, %d tokens", model.name(), text.length())
                            .isEqualTo(answers(engine, List.of(EncodeRequest.of(List.of(text), model)), submitted)
                                    .get(0)
                                    .get(0));
                    check(own, plain.get(i).get(j), tolerance, model.name());
                }
            }
        }
    }

    /** A base of the fixtures; one that is long, of rotary positions, takes more than the longest step of padding. */
    private Path folder(String family) throws IOException {
        Path folder = Tiny.FIXTURES.resolve("bases").resolve(family.replace("-long", ""));
        if (!family.endsWith("-long")) {
            return folder;
        }
        Files.copy(folder.resolve("model.safetensors"), copy.resolve("model.safetensors"));
        String config = Files.readString(folder.resolve("config.json"));
        Files.writeString(
                copy.resolve("config.json"),
                config.replaceFirst("\"max_position_embeddings\": \\d+", "\"max_position_embeddings\": 320"));
        return copy;
    }

    /** Lets texts come before a second pass. */
    static EngineObserver waitingFor(CountDownLatch submitted) {
        return new EngineObserver() {
            @Override
            public void onInputTokens(ServedModel model, int tokens) {
                try {
                    submitted.await();
                } catch (InterruptedException stop) {
                    throw new AssertionError(stop);
                }
            }
        };
    }

    /** Of any length that the base can read, behind a prompt too. */
    private static List<EncodeRequest> asks(Base base, List<ServedModel> all) {
        List<EncodeRequest> requests = new ArrayList<>();
        for (int i = 0; i < Math.max(12, 2 * all.size()); i++) {
            ServedModel model = all.get(i < all.size() ? i : RANDOM.nextInt(all.size()));
            int prompt = model.name().startsWith("p") ? PROMPT : 0;
            int longest = base.backbone().maxPositions() - prompt;
            List<Encoding> texts = new ArrayList<>();
            for (int j = RANDOM.nextInt(6); j >= 0; j--) {
                int length = j == 0 && i < 6 ? longest - i : 1 + RANDOM.nextInt(longest);
                texts.add(text(RANDOM, length, base.backbone().vocabSize()));
            }
            requests.add(EncodeRequest.of(texts, model));
        }
        return requests;
    }

    private static List<List<float[]>> answers(
            EncoderEngine engine, List<EncodeRequest> requests, CountDownLatch submitted) {
        List<CompletableFuture<List<float[]>>> answers = new ArrayList<>();
        for (EncodeRequest request : requests) {
            RecordingEncodeListener heard = new RecordingEncodeListener();
            engine.submit(request, heard);
            answers.add(heard.answers);
        }
        submitted.countDown();
        return answers.stream().map(CompletableFuture::join).toList();
    }

    /** What a pass over a text alone gives, without padding or packed matrices. */
    private static float[] plain(Base base, Encoding text, ServedModel model) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            long[][] ids = {IntStream.of(text.ids()).asLongStream().toArray()};
            ForwardPass pass = ForwardPass.inference(model.selection().hooks());
            HiddenStates hidden = base.forward(Inputs.of(ids), pass);
            if (base.task() == Task.SEQ_CLS) {
                return Tensors.floats(base.logits(hidden, pass));
            }
            if (base.task() == Task.TOKEN_CLS) {
                return Tensors.floats(base.logits(hidden, pass).narrow(1, hidden.prompt(), text.length()));
            }
            Tensor mean = Ops.mean(Ops.to(hidden.last(), ScalarType.Float), 1, false);
            return Tensors.floats(mean.div(mean.norm(new Scalar(2.0))));
        }
    }

    private static void check(float[] answer, float[] plain, double tolerance, String name) {
        assertThat(answer).hasSameSizeAs(plain);
        for (int i = 0; i < plain.length; i++) {
            assertThat((double) answer[i])
                    .as(name)
                    .isCloseTo(plain[i], within(tolerance * Math.max(1, Math.abs(plain[i]))));
        }
    }
}
