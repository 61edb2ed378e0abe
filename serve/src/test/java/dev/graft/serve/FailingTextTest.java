package dev.graft.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
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
class FailingTextTest {
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
                    Tensor weight = grafter.parameter(site, "w", Initial.normal(0.1), linear.in(), linear.out());
                    grafter.add(site, new Effect.Delta() {
                        @Override
                        public Tensor apply(Tensor x, Pass pass) {
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

    private static Ask ask(Served adapter, int... prompt) {
        return Ask.of(prompt, GenerateOptions.DEFAULT.withMaxNewTokens(12).withEndTokens(Set.of()), adapter)
                .withLogprobs(2);
    }

    private static List<Ask> neighbours() {
        List<Ask> asks = new ArrayList<>();
        int revision = 0;
        for (String name : List.of("lora", "ia3", "prefix-tuning", "prompt-tuning", "dora")) {
            asks.add(ask(Tiny.served(BASE, "llama-gqa", name, ++revision), 5, 6, 7, 8, 9 + revision));
        }
        asks.add(ask(Tiny.routers(BASE).get(0), 9, 8, 7));
        asks.add(ask(Served.base("llama-gqa"), 5, 6, 7));
        return asks;
    }

    private static List<List<Token>> alone(List<Ask> asks) {
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            List<List<Token>> tokens = new ArrayList<>();
            for (Ask ask : asks) {
                Heard heard = new Heard();
                engine.submit(ask, heard);
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
        List<Ask> asks = neighbours();
        List<List<Token>> expected = alone(asks);
        Ask breaks = ask(new Served("breaking", 99, Selection.of(breaking)), 5, 6, 7, 8);
        Heard failing = new Heard() {
            @Override
            public void token(Token token, String piece) {
                super.token(token, piece);
                broken.set(tokens.size() == 4);
            }
        };
        List<Heard> others = new ArrayList<>();
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            List<Listener> listeners = new ArrayList<>();
            for (int i = 0; i < asks.size(); i++) {
                others.add(new Heard());
                listeners.add(others.get(i));
            }
            List<Ask> all = new ArrayList<>(asks);
            all.add(3, breaks);
            listeners.add(3, failing);
            engine.submit(all, listeners);

            assertThatThrownBy(failing::await).hasMessageContaining("mat1 and mat2 shapes cannot be multiplied");
            assertThat(failing.tokens).hasSize(4);
            for (int i = 0; i < asks.size(); i++) {
                assertThat(others.get(i).await().tokens)
                        .as(asks.get(i).adapter().name())
                        .isEqualTo(expected.get(i));
            }
            Heard later = new Heard();
            engine.submit(asks.get(0), later);
            assertThat(later.await().tokens).isEqualTo(expected.get(0));
            assertThat(engine.running()).isZero();
        }
    }

    /** Nor does one who listens and fails, whatever is said. */
    @Test
    void whoFailsToListenIsLetGoAlone() {
        Served base = Served.base("llama-gqa");
        List<List<Token>> expected = alone(List.of(ask(base, 5, 6, 7)));
        List<String> left = Collections.synchronizedList(new ArrayList<>());
        Heard deafToTheEnd = new Heard() {
            @Override
            public void ended(Ended ended) {
                throw new IllegalStateException("on purpose");
            }

            @Override
            public void left() {
                left.add("at the end");
                throw new IllegalStateException("on purpose");
            }
        };
        Heard deafToTokens = new Heard() {
            @Override
            public void token(Token token, String piece) {
                throw new IllegalStateException("on purpose");
            }

            @Override
            public void failed(RuntimeException why) {
                throw new IllegalStateException("again", why);
            }

            @Override
            public void left() {
                left.add("at a token");
            }
        };
        Heard neighbour = new Heard();
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            Ask ask = ask(base, 5, 6, 7);
            engine.submit(List.of(ask, ask, ask), List.of(deafToTokens, deafToTheEnd, neighbour));
            assertThat(neighbour.await().tokens).isEqualTo(expected.get(0));
            Heard later = new Heard();
            engine.submit(ask, later);
            assertThat(later.await().tokens).isEqualTo(expected.get(0));
        }
        assertThat(left).containsExactly("at a token", "at the end");
    }

    /** Where nothing fails alone, all go on. */
    @Test
    void aPassThatFailsOnceEndsNoText() {
        Served whole = served(() -> false);
        List<List<Token>> expected = alone(List.of(ask(whole, 5, 6, 7, 8), ask(whole, 4, 3)));
        AtomicInteger calls = new AtomicInteger();
        Served once = served(() -> calls.incrementAndGet() == 9);
        List<Heard> heard = List.of(new Heard(), new Heard());
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
        Checkpoint checkpoint = Checkpoint.open(Tiny.FIXTURES.resolve("bases/llama-gqa"));
        Architecture llama = Architecture.of(checkpoint.config());
        Architecture counting = around(Architecture.class, llama, (method, arguments) -> {
            if (!method.getName().equals("build")) {
                return method.invoke(llama, arguments);
            }
            Architecture.Model model = (Architecture.Model) method.invoke(llama, arguments);
            Backbone whole = model.backbone();
            Backbone counted = around(Backbone.class, whole, (call, given) -> {
                Object hidden = call.invoke(whole, given);
                if (call.getName().equals("hidden")
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

    private static <T> T around(Class<T> type, T inner, Call call) {
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
        List<List<List<Token>>> answers = new ArrayList<>();
        for (boolean fails : List.of(false, true)) {
            AtomicInteger passes = new AtomicInteger();
            Base base = counting(passes, fails);
            Random random = new Random(1);
            List<Ask> asks = Stream.of(
                            Served.base("llama-gqa"),
                            Tiny.served(base, "llama-gqa", "lora", 1),
                            Tiny.served(base, "llama-gqa", "lora-all-linear", 2))
                    .map(served -> ask(served, random.ints(40, 5, 60).toArray()))
                    .toList();
            List<Heard> heard = asks.stream().map(ask -> new Heard()).toList();
            try (Engine engine = new Engine(base, null, new Engine.Options(8, 8, 32, 0))) {
                engine.submit(asks, List.copyOf(heard));
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
        Served breaking = new Served("breaking", 99, Selection.of(Adapter.create(bert, method, 3)));
        Breaking whole = new Breaking("layer.1.attention.self.query", () -> false);
        Served beside = new Served("beside", 98, Selection.of(Adapter.create(bert, whole, 3)));
        Random random = new Random(1);
        List<Encoding> texts = Stream.generate(() ->
                        EncoderInvarianceTest.text(random, 8, bert.backbone().vocabSize()))
                .limit(3)
                .toList();
        List<EncoderAsk> asks = List.of(
                EncoderAsk.of(texts.subList(1, 2), beside),
                EncoderAsk.of(texts.subList(0, 1), breaking),
                EncoderAsk.of(texts, Served.base("bert")),
                EncoderAsk.of(texts, Tiny.served(bert, "bert-base", "lora", 1)));
        CountDownLatch submitted = new CountDownLatch(1);
        try (EncoderEngine engine =
                new EncoderEngine(bert, EncoderEngine.Options.DEFAULT, EncoderInvarianceTest.waitingFor(submitted))) {
            HeardWhole first = heard(engine, asks.get(0));
            List<HeardWhole> all = asks.stream().map(ask -> heard(engine, ask)).toList();
            submitted.countDown();

            assertThatThrownBy(all.get(1).answers::join)
                    .hasMessageContaining("mat1 and mat2 shapes cannot be multiplied");
            assertThat(calls).as("one text fails in company and alone").hasValue(2);
            assertThat(all.get(0).answers.join().get(0))
                    .isEqualTo(first.answers.join().get(0));
            for (int other : new int[] {0, 2, 3}) {
                assertThat(all.get(other).answers.join().get(0))
                        .isEqualTo(heard(engine, asks.get(other)).answers.join().get(0));
            }
            all.forEach(heard -> heard.left.join());
            assertThat(engine.running()).isZero();
        }
    }

    private static HeardWhole heard(EncoderEngine engine, EncoderAsk ask) {
        HeardWhole heard = new HeardWhole();
        engine.submit(ask, heard);
        return heard;
    }

    private static Served served(BooleanSupplier broken) {
        return new Served("breaking", 99, Selection.of(Adapter.create(BASE, new Breaking("lm_head", broken), 3)));
    }
}
