package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.serve.EngineObserver;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.RejectedException;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineTest {
    private static final Base BASE = Tiny.base("llama-gqa", Numerics.FP32);
    private static final ServedModel ALONE = ServedModel.base("llama-gqa");
    private static final int[] PROMPT = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

    private final Engine engine = new Engine(BASE, null, new Engine.Options(8, 4, 4, 1 << 20));

    @AfterEach
    void close() {
        engine.close();
    }

    private static GenerateOptions tokens(int count) {
        return GenerateOptions.DEFAULT.withMaxNewTokens(count).withEndTokens(Set.of());
    }

    /** A listener that stops the engine at its first token until the latch is down. */
    private static RecordingListener holding(CountDownLatch latch) {
        return new RecordingListener() {
            @Override
            public void onToken(TokenLogprob token, String piece) {
                super.onToken(token, piece);
                try {
                    latch.await(30, TimeUnit.SECONDS);
                } catch (InterruptedException stop) {
                    throw new AssertionError(stop);
                }
            }
        };
    }

    @Test
    void aTextEndsByItsLength() {
        RecordingListener heard = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(7), ALONE), heard);

        GenerationListener.Result result = heard.await().end.join();
        assertThat(result.generated().ids()).hasSize(7);
        assertThat(result.generated().reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(result.promptTokens()).isEqualTo(10);
        assertThat(heard.tokens).hasSize(7);
    }

    /** Those that the base gives for the whole prompt; the same to the last bit after others have read it, and beside others. */
    @ParameterizedTest
    @ValueSource(strings = {"", "lora", "prompt-tuning", "prefix-tuning"})
    void thePromptIsToldWithItsProbabilities(String adapter) {
        ServedModel model = adapter.isEmpty() ? ALONE : Tiny.served(BASE, "llama-gqa", adapter, 3);
        List<TokenLogprob> expected = new ArrayList<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = BASE.logits(
                    Inputs.of(new long[][] {Arrays.stream(PROMPT).asLongStream().toArray()}),
                    ForwardPass.inference(model.selection().hooks()));
            long virtual = logits.size(1) - PROMPT.length;
            for (int i = 1; i < PROMPT.length; i++) {
                expected.add(TokenLogprob.of(PROMPT[i], Tensors.floats(logits.select(1, virtual + i - 1)), 2));
            }
        }
        GenerationRequest plain = GenerationRequest.of(PROMPT, tokens(3), model).withLogprobs(2);
        RecordingListener without = new RecordingListener();
        engine.submit(plain, without);
        without.await();
        RecordingListener alone = new RecordingListener();
        engine.submit(plain.withPromptLogprobs(true), alone);
        alone.await();
        List<RecordingListener> beside =
                Stream.generate(RecordingListener::new).limit(4).toList();
        engine.submit(
                List.of(plain, plain.withPromptLogprobs(true), plain, plain.withPromptLogprobs(true)),
                new ArrayList<>(beside));
        beside.forEach(RecordingListener::await);

        assertThat(without.prompt).isEmpty();
        assertThat(alone.end.join().cachedTokens()).isZero();
        assertThat(alone.tokens).isEqualTo(without.tokens);
        assertThat(alone.prompt)
                .extracting(TokenLogprob::id)
                .isEqualTo(IntStream.of(PROMPT).boxed().toList());
        assertThat(alone.prompt.get(0)).isEqualTo(TokenLogprob.of(PROMPT[0]));
        for (int i = 0; i < expected.size(); i++) {
            TokenLogprob actual = alone.prompt.get(i + 1);
            assertThat(actual.logprob()).isCloseTo(expected.get(i).logprob(), within(1e-5));
            assertThat(actual.topLogprobs())
                    .extracting(TokenLogprob.Candidate::id)
                    .isEqualTo(expected.get(i).topLogprobs().stream()
                            .map(TokenLogprob.Candidate::id)
                            .toList());
        }
        for (int i : new int[] {1, 3}) {
            assertThat(beside.get(i).prompt).isEqualTo(alone.prompt);
            assertThat(beside.get(i).tokens).isEqualTo(alone.tokens);
            assertThat(beside.get(i - 1).tokens).isEqualTo(alone.tokens);
        }
    }

    @Test
    void textsThatComeTogetherAreWrittenTogether() {
        List<Integer> written = new ArrayList<>();
        EngineObserver observer = new EngineObserver() {
            @Override
            public void onDecodeStep(int texts, long nanos) {
                written.add(texts);
            }
        };
        try (Engine engine = new Engine(BASE, null, new Engine.Options(8, 8, 4, 0), observer)) {
            List<RecordingListener> heard =
                    Stream.generate(RecordingListener::new).limit(8).toList();
            engine.submit(
                    Collections.nCopies(8, GenerationRequest.of(PROMPT, tokens(4), ALONE)), new ArrayList<>(heard));
            heard.forEach(RecordingListener::await);
            assertThat(engine.drain(0)).isTrue();
        }

        assertThat(written).containsExactly(8, 8, 8);
    }

    @Test
    void promptsHoldUpWhatIsWrittenForOneChunkAtATime() {
        List<Integer> events = new ArrayList<>();
        CountDownLatch waiting = new CountDownLatch(1);
        EngineObserver observer = new EngineObserver() {
            @Override
            public void onInputTokens(ServedModel model, int tokens) {
                events.add(tokens);
            }

            @Override
            public void onDecodeStep(int texts, long nanos) {
                events.add(0);
            }
        };
        try (Engine engine = new Engine(BASE, null, new Engine.Options(8, 8, 4, 0), observer)) {
            RecordingListener first = holding(waiting);
            engine.submit(GenerationRequest.of(new int[] {5, 6}, tokens(20), ALONE), first);
            first.first.join();
            List<RecordingListener> others =
                    Stream.generate(RecordingListener::new).limit(7).toList();
            engine.submit(
                    Collections.nCopies(7, GenerationRequest.of(PROMPT, tokens(1), ALONE)), new ArrayList<>(others));
            waiting.countDown();
            first.await();
            others.forEach(RecordingListener::await);
            assertThat(engine.drain(0)).isTrue();
        }

        int between = 0;
        for (int tokens : events) {
            between = tokens == 0 ? 0 : between + tokens;
            assertThat(between).isLessThanOrEqualTo(4 + 4);
        }
    }

    @Test
    void aTextEndsWhereTheModelCanTakeNoMore() {
        int longest = BASE.backbone().maxPositions();
        RecordingListener heard = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(longest + 5), ALONE), heard);

        assertThat(heard.await().tokens).hasSize(longest - PROMPT.length + 1);
    }

    @Test
    void chunksOfAPromptAreReadOnce() {
        RecordingListener first = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(3), ALONE).withLogprobs(3), first);
        first.await();
        RecordingListener second = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(3), ALONE).withLogprobs(3), second);

        assertThat(second.await().end.join().cachedTokens()).isEqualTo(8);
        assertThat(second.tokens).isEqualTo(first.tokens);
    }

    @Test
    void anotherAdapterDoesNotShareAPrompt() {
        ServedModel lora = Tiny.served(BASE, "llama-gqa", "lora", 1);
        for (ServedModel model : List.of(ALONE, lora, new ServedModel("lora", 2, lora.selection()))) {
            RecordingListener heard = new RecordingListener();
            engine.submit(GenerationRequest.of(PROMPT, tokens(1), model), heard);
            assertThat(heard.await().end.join().cachedTokens()).isZero();
        }
    }

    @Test
    void whatHasRoomAtOnceNeedsNoQueue() {
        try (Engine small = new Engine(BASE, null, new Engine.Options(8, 2, 32, 0))) {
            List<RecordingListener> all =
                    Stream.generate(RecordingListener::new).limit(8).toList();
            GenerationRequest request = GenerationRequest.of(PROMPT, tokens(1), ALONE);
            small.submit(Collections.nCopies(8, request), List.copyOf(all));
            all.forEach(RecordingListener::await);
            assertThatThrownBy(() -> small.submit(
                            Collections.nCopies(9, request), Collections.nCopies(9, new RecordingListener())))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("there are 9 texts, at most 8 at once");
        }
    }

    @Test
    void aFullQueueRefusesAtOnce() {
        CountDownLatch latch = new CountDownLatch(1);
        RecordingListener held = holding(latch);
        engine.submit(GenerationRequest.of(PROMPT, tokens(1), ALONE), held);
        held.first.join();
        List<RecordingListener> waiting = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            waiting.add(new RecordingListener());
            engine.submit(GenerationRequest.of(PROMPT, tokens(1), ALONE), waiting.get(i));
        }

        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(PROMPT, tokens(1), ALONE), new RecordingListener()))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        rejected -> assertThat(rejected.reason()).isEqualTo(RejectedException.Reason.FULL));
        latch.countDown();
        waiting.forEach(RecordingListener::await);
    }

    @Test
    void aCancelledTextLeavesItsPlace() throws InterruptedException {
        CountDownLatch latch = new CountDownLatch(1);
        RecordingListener heard = holding(latch);
        RequestHandle handle = engine.submit(GenerationRequest.of(PROMPT, tokens(50), ALONE), heard);
        heard.first.join();
        handle.cancel();
        latch.countDown();
        RecordingListener next = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(5), ALONE), next);
        next.await();

        assertThat(engine.running()).isZero();
        assertThat(heard.tokens).hasSizeLessThan(50);
        assertThat(heard.end).isNotDone();
    }

    @Test
    void aTextThatTakesTooLongIsGivenUp() {
        RecordingListener heard = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(5), ALONE).withDeadline(System.nanoTime() - 1), heard);

        assertThatThrownBy(heard::await)
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        rejected -> assertThat(rejected.reason()).isEqualTo(RejectedException.Reason.LATE));
    }

    @Test
    void drainingFinishesWhatIsThere() {
        List<RecordingListener> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            all.add(new RecordingListener());
            engine.submit(GenerationRequest.of(PROMPT, tokens(6), ALONE), all.get(i));
        }
        assertThat(engine.drain(0)).isTrue();

        assertThat(all).allSatisfy(heard -> assertThat(heard.end).isCompleted());
        assertThatThrownBy(() -> engine.submit(GenerationRequest.of(PROMPT, tokens(1), ALONE), new RecordingListener()))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        rejected -> assertThat(rejected.reason()).isEqualTo(RejectedException.Reason.STOPPING));
    }

    @Test
    void aPromptThatTheModelCanNotTakeIsRefused() {
        assertThatThrownBy(() ->
                        engine.submit(GenerationRequest.of(new int[0], tokens(1), ALONE), new RecordingListener()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no tokens");
        assertThatThrownBy(() -> engine.submit(
                        GenerationRequest.of(new int[BASE.backbone().maxPositions() + 1], tokens(1), ALONE),
                        new RecordingListener()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("can take");
    }

    @Test
    void probabilitiesAreTheModels() {
        RecordingListener heard = new RecordingListener();
        engine.submit(GenerationRequest.of(PROMPT, tokens(4), ALONE).withLogprobs(5), heard);

        for (TokenLogprob token : heard.await().tokens) {
            assertThat(token.topLogprobs())
                    .hasSize(5)
                    .isSortedAccordingTo((a, b) -> Double.compare(b.logprob(), a.logprob()));
            assertThat(token.topLogprobs().get(0).id()).isEqualTo(token.id());
            assertThat(token.logprob())
                    .isEqualTo(token.topLogprobs().get(0).logprob())
                    .isNegative();
        }
    }
}
