package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.PretrainedCheckpoints;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** A text whose pass fails takes neither its neighbours nor the engine with it. */
class FailingSequenceTest {
    private static final Base BASE = Tiny.base("llama-gqa", Numerics.FP32);

    /** An update of one layer, f(x) = W x, that may multiply matrices of shapes that don't fit. */
    private record Breaking(String layer, BooleanSupplier broken) implements Method {
        @Override
        public Type type() {
            return new Lora(LoraConfig.DEFAULT).type();
        }

        @Override
        public void graft(Grafter grafter) {
            for (Site site : grafter.base().sites()) {
                if (site instanceof Linear linear && site.name().endsWith(layer)) {
                    Tensor weight = grafter.parameter(site, "w", Initializer.normal(0.1), linear.in(), linear.out());
                    grafter.add(site, new Effect.Delta() {
                        @Override
                        public Tensor apply(Tensor x, PassView pass) {
                            return x.matmul(broken.getAsBoolean() ? Tensors.zeros(ScalarType.Float, 1, 3) : weight);
                        }

                        @Override
                        public @Nullable Tensor weight() {
                            return weight.t();
                        }
                    });
                }
            }
        }

        @Override
        public void write(ObjectNode config, Base base) {
            throw new UnsupportedOperationException("it is never saved");
        }
    }

    private static GenerationRequest ask(ServedModel model, int... prompt) {
        return GenerationRequest.of(
                        prompt, GenerateOptions.DEFAULT.withMaxNewTokens(12).withEndTokens(Set.of()), model)
                .withLogprobs(2);
    }

    private static List<GenerationRequest> neighbours() {
        List<GenerationRequest> requests = new ArrayList<>();
        int revision = 0;
        for (String name : List.of("lora", "ia3", "prefix-tuning", "prompt-tuning", "dora")) {
            requests.add(ask(Tiny.served(BASE, "llama-gqa", name, ++revision), 5, 6, 7, 8, 9 + revision));
        }
        requests.add(ask(Tiny.routers(BASE).get(0), 9, 8, 7));
        requests.add(ask(ServedModel.base("llama-gqa"), 5, 6, 7));
        return requests;
    }

    private static List<List<TokenLogprob>> alone(List<GenerationRequest> requests) {
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            List<List<TokenLogprob>> tokens = new ArrayList<>();
            for (GenerationRequest request : requests) {
                RecordingListener heard = new RecordingListener();
                engine.submit(request, heard);
                tokens.add(heard.await().tokens);
            }
            return tokens;
        }
    }

    /** The first layer, the last one, and the head, behind which the caches have taken up the step already. */
    @ParameterizedTest
    @ValueSource(strings = {"layers.0.self_attn.q_proj", "layers.1.mlp.down_proj", "lm_head"})
    void onlyTheTextThatFailsEnds(String layer) {
        AtomicBoolean broken = new AtomicBoolean();
        Adapter breaking = Adapter.create(BASE, new Breaking(layer, broken::get), 3);
        assertThat(breaking.sites()).isNotEmpty();
        List<GenerationRequest> requests = neighbours();
        List<List<TokenLogprob>> expected = alone(requests);
        GenerationRequest breaks = ask(new ServedModel("breaking", 99, Selection.of(breaking)), 5, 6, 7, 8);
        RecordingListener failing = new RecordingListener() {
            @Override
            public void onToken(TokenLogprob token, String piece) {
                super.onToken(token, piece);
                broken.set(tokens.size() == 4);
            }
        };
        List<RecordingListener> others = new ArrayList<>();
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            List<GenerationListener> listeners = new ArrayList<>();
            for (int i = 0; i < requests.size(); i++) {
                others.add(new RecordingListener());
                listeners.add(others.get(i));
            }
            List<GenerationRequest> all = new ArrayList<>(requests);
            all.add(3, breaks);
            listeners.add(3, failing);
            engine.submit(all, listeners);

            assertThatThrownBy(failing::await).hasMessageContaining("mat1 and mat2 shapes cannot be multiplied");
            assertThat(failing.tokens).hasSize(4);
            for (int i = 0; i < requests.size(); i++) {
                assertThat(others.get(i).await().tokens)
                        .as(requests.get(i).model().name())
                        .isEqualTo(expected.get(i));
            }
            RecordingListener later = new RecordingListener();
            engine.submit(requests.get(0), later);
            assertThat(later.await().tokens).isEqualTo(expected.get(0));
            assertThat(engine.running()).isZero();
        }
    }

    /** Nor does one who listens and fails, whatever is said. */
    @Test
    void whoFailsToListenIsLetGoAlone() {
        ServedModel base = ServedModel.base("llama-gqa");
        List<List<TokenLogprob>> expected = alone(List.of(ask(base, 5, 6, 7)));
        List<String> left = Collections.synchronizedList(new ArrayList<>());
        RecordingListener deafToTheEnd = new RecordingListener() {
            @Override
            public void onFinish(Result result) {
                throw new IllegalStateException("on purpose");
            }

            @Override
            public void onRelease() {
                left.add("at the end");
                throw new IllegalStateException("on purpose");
            }
        };
        RecordingListener deafToTokens = new RecordingListener() {
            @Override
            public void onToken(TokenLogprob token, String piece) {
                throw new IllegalStateException("on purpose");
            }

            @Override
            public void onError(RuntimeException why) {
                throw new IllegalStateException("again", why);
            }

            @Override
            public void onRelease() {
                left.add("at a token");
            }
        };
        RecordingListener neighbour = new RecordingListener();
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            GenerationRequest request = ask(base, 5, 6, 7);
            engine.submit(List.of(request, request, request), List.of(deafToTokens, deafToTheEnd, neighbour));
            assertThat(neighbour.await().tokens).isEqualTo(expected.get(0));
            RecordingListener later = new RecordingListener();
            engine.submit(request, later);
            assertThat(later.await().tokens).isEqualTo(expected.get(0));
        }
        assertThat(left).containsExactly("at a token", "at the end");
    }

    /** Where nothing fails alone, all go on. */
    @Test
    void aPassThatFailsOnceEndsNoText() {
        ServedModel whole = served(() -> false);
        List<List<TokenLogprob>> expected = alone(List.of(ask(whole, 5, 6, 7, 8), ask(whole, 4, 3)));
        AtomicInteger calls = new AtomicInteger();
        ServedModel once = served(() -> calls.incrementAndGet() == 9);
        List<RecordingListener> heard = List.of(new RecordingListener(), new RecordingListener());
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            engine.submit(List.of(ask(once, 5, 6, 7, 8), ask(once, 4, 3)), List.copyOf(heard));
            assertThat(heard.get(0).await().tokens).isEqualTo(expected.get(0));
            assertThat(heard.get(1).await().tokens).isEqualTo(expected.get(1));
        }
        assertThat(calls)
                .as("a call for each token, and for the pass that failed")
                .hasValueGreaterThan(2 * 12);
    }

    /** A base whose passes over several prompts fail, or don't, and are counted. */
    private static Base counting(AtomicInteger passes, boolean fails) {
        PretrainedCheckpoint checkpoint = PretrainedCheckpoints.open(Tiny.FIXTURES.resolve("bases/llama-gqa"));
        Architecture llama = Architecture.of(checkpoint.config());
        Architecture counting = around(Architecture.class, (method, arguments) -> {
            if (!method.getName().equals("build")) {
                return method.invoke(llama, arguments);
            }
            Architecture.Model model = (Architecture.Model) method.invoke(llama, arguments);
            Backbone whole = model.backbone();
            Backbone counted = around(Backbone.class, (call, given) -> {
                Object hidden = call.invoke(whole, given);
                if (call.getName().equals("forward")
                        && given[0] instanceof Inputs in
                        && in.rows() > 1
                        && in.width() > 1) {
                    passes.incrementAndGet();
                    if (fails) {
                        throw new IllegalStateException("the pass fails");
                    }
                }
                return hidden;
            });
            return new Architecture.Model(counted, model.head());
        });
        Base base = Base.of("llama-gqa", checkpoint, counting, Base.Options.DEFAULT);
        base.pack();
        return base;
    }

    private interface Call {
        Object of(java.lang.reflect.Method method, @Nullable Object @Nullable [] arguments)
                throws ReflectiveOperationException;
    }

    private static <T> T around(Class<T> type, Call call) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    try {
                        return call.of(method, arguments);
                    } catch (InvocationTargetException failed) {
                        throw failed.getCause();
                    }
                }));
    }

    /** Each is read alone then, from where it stood before. */
    @Test
    void promptsWhosePassFailsAreReadOneByOne() {
        List<List<List<TokenLogprob>>> answers = new ArrayList<>();
        for (boolean fails : List.of(false, true)) {
            AtomicInteger passes = new AtomicInteger();
            Base base = counting(passes, fails);
            Random random = new Random(1);
            List<GenerationRequest> requests = Stream.of(
                            ServedModel.base("llama-gqa"),
                            Tiny.served(base, "llama-gqa", "lora", 1),
                            Tiny.served(base, "llama-gqa", "lora-all-linear", 2))
                    .map(model -> ask(model, random.ints(40, 5, 60).toArray()))
                    .toList();
            List<RecordingListener> heard =
                    requests.stream().map(request -> new RecordingListener()).toList();
            try (Engine engine = new Engine(base, null, new Engine.Options(8, 8, 32, 0))) {
                engine.submit(requests, List.copyOf(heard));
                answers.add(heard.stream().map(each -> each.await().tokens).toList());
            }
            assertThat(passes).as("the first 32 tokens of all").hasValue(1);
        }
        assertThat(answers.get(1)).isEqualTo(answers.get(0));
    }

    /** The text that fails is tried in its neighbours' pass and once more alone. */
    @Test
    void onlyTheWholeTextThatFailsIsNotAnswered() {
        Base bert = Base.load(Tiny.FIXTURES.resolve("bases/bert-base"), Base.Options.of(Task.FEATURE_EXTRACTION));
        bert.pack();
        AtomicInteger calls = new AtomicInteger();
        Breaking method = new Breaking("layer.1.attention.self.query", () -> calls.incrementAndGet() > 0);
        ServedModel breaking = new ServedModel("breaking", 99, Selection.of(Adapter.create(bert, method, 3)));
        Breaking whole = new Breaking("layer.1.attention.self.query", () -> false);
        ServedModel beside = new ServedModel("beside", 98, Selection.of(Adapter.create(bert, whole, 3)));
        Random random = new Random(1);
        List<Encoding> texts = Stream.generate(() ->
                        EncoderInvarianceTest.text(random, 8, bert.backbone().vocabSize()))
                .limit(3)
                .toList();
        List<EncodeRequest> requests = List.of(
                EncodeRequest.of(texts.subList(1, 2), beside),
                EncodeRequest.of(texts.subList(0, 1), breaking),
                EncodeRequest.of(texts, ServedModel.base("bert")),
                EncodeRequest.of(texts, Tiny.served(bert, "bert-base", "lora", 1)));
        CountDownLatch submitted = new CountDownLatch(1);
        try (EncoderEngine engine =
                new EncoderEngine(bert, EncoderEngine.Options.DEFAULT, EncoderInvarianceTest.waitingFor(submitted))) {
            RecordingEncodeListener first = heard(engine, requests.get(0));
            List<RecordingEncodeListener> all =
                    requests.stream().map(request -> heard(engine, request)).toList();
            submitted.countDown();

            assertThatThrownBy(all.get(1).answers::join)
                    .hasMessageContaining("mat1 and mat2 shapes cannot be multiplied");
            assertThat(calls).as("one text fails in company and alone").hasValue(2);
            assertThat(all.get(0).answers.join().get(0))
                    .isEqualTo(first.answers.join().get(0));
            for (int other : new int[] {0, 2, 3}) {
                assertThat(all.get(other).answers.join().get(0))
                        .isEqualTo(heard(engine, requests.get(other))
                                .answers
                                .join()
                                .get(0));
            }
            all.forEach(heard -> heard.left.join());
            assertThat(engine.running()).isZero();
        }
    }

    private static RecordingEncodeListener heard(EncoderEngine engine, EncodeRequest request) {
        RecordingEncodeListener heard = new RecordingEncodeListener();
        engine.submit(request, heard);
        return heard;
    }

    private static ServedModel served(BooleanSupplier broken) {
        return new ServedModel("breaking", 99, Selection.of(Adapter.create(BASE, new Breaking("lm_head", broken), 3)));
    }
}
