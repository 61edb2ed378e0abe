package dev.graft.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
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
    private static final Served ALONE = Served.base("llama-gqa");
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
    private static Heard holding(CountDownLatch latch) {
        return new Heard() {
            @Override
            public void token(Token token, String piece) {
                super.token(token, piece);
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
        Heard heard = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(7), ALONE), heard);

        Listener.Ended ended = heard.await().end.join();
        assertThat(ended.generated().ids()).hasSize(7);
        assertThat(ended.generated().reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(ended.promptTokens()).isEqualTo(10);
        assertThat(heard.tokens).hasSize(7);
    }

    /** Those that the base gives for the whole prompt; the same to the last bit after others have read it, and beside others. */
    @ParameterizedTest
    @ValueSource(strings = {"", "lora", "prompt-tuning", "prefix-tuning"})
    void thePromptIsToldWithItsProbabilities(String adapter) {
        Served served = adapter.isEmpty() ? ALONE : Tiny.served(BASE, "llama-gqa", adapter, 3);
        List<Token> expected = new ArrayList<>();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = BASE.logits(
                    Inputs.of(new long[][] {Arrays.stream(PROMPT).asLongStream().toArray()}),
                    Pass.inference(served.selection().hooks()));
            long virtual = logits.size(1) - PROMPT.length;
            for (int i = 1; i < PROMPT.length; i++) {
                expected.add(Token.of(PROMPT[i], Tensors.floats(logits.select(1, virtual + i - 1)), 2));
            }
        }
        Ask plain = Ask.of(PROMPT, tokens(3), served).withLogprobs(2);
        Heard without = new Heard();
        engine.submit(plain, without);
        without.await();
        Heard alone = new Heard();
        engine.submit(plain.withPromptToo(), alone);
        alone.await();
        List<Heard> beside = Stream.generate(Heard::new).limit(4).toList();
        engine.submit(List.of(plain, plain.withPromptToo(), plain, plain.withPromptToo()), new ArrayList<>(beside));
        beside.forEach(Heard::await);

        assertThat(without.prompt).isEmpty();
        assertThat(alone.end.join().cachedTokens()).isZero();
        assertThat(alone.tokens).isEqualTo(without.tokens);
        assertThat(alone.prompt)
                .extracting(Token::id)
                .isEqualTo(IntStream.of(PROMPT).boxed().toList());
        assertThat(alone.prompt.get(0)).isEqualTo(Token.of(PROMPT[0]));
        for (int i = 0; i < expected.size(); i++) {
            Token actual = alone.prompt.get(i + 1);
            assertThat(actual.logprob()).isCloseTo(expected.get(i).logprob(), within(1e-5));
            assertThat(actual.likeliest())
                    .extracting(Token.Likely::id)
                    .isEqualTo(expected.get(i).likeliest().stream()
                            .map(Token.Likely::id)
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
        Engine.Observer observer = new Engine.Observer() {
            @Override
            public void wrote(int texts, long nanos) {
                written.add(texts);
            }
        };
        try (Engine engine = new Engine(BASE, null, new Engine.Options(8, 8, 4, 0), observer)) {
            List<Heard> heard = Stream.generate(Heard::new).limit(8).toList();
            engine.submit(Collections.nCopies(8, Ask.of(PROMPT, tokens(4), ALONE)), new ArrayList<>(heard));
            heard.forEach(Heard::await);
            assertThat(engine.drain(0)).isTrue();
        }

        assertThat(written).containsExactly(8, 8, 8);
    }

    @Test
    void promptsHoldUpWhatIsWrittenForOneChunkAtATime() {
        List<Integer> events = new ArrayList<>();
        CountDownLatch waiting = new CountDownLatch(1);
        Engine.Observer observer = new Engine.Observer() {
            @Override
            public void read(Served adapter, int tokens) {
                events.add(tokens);
            }

            @Override
            public void wrote(int texts, long nanos) {
                events.add(0);
            }
        };
        try (Engine engine = new Engine(BASE, null, new Engine.Options(8, 8, 4, 0), observer)) {
            Heard first = holding(waiting);
            engine.submit(Ask.of(new int[] {5, 6}, tokens(20), ALONE), first);
            first.first.join();
            List<Heard> others = Stream.generate(Heard::new).limit(7).toList();
            engine.submit(Collections.nCopies(7, Ask.of(PROMPT, tokens(1), ALONE)), new ArrayList<>(others));
            waiting.countDown();
            first.await();
            others.forEach(Heard::await);
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
        Heard heard = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(longest + 5), ALONE), heard);

        assertThat(heard.await().tokens).hasSize(longest - PROMPT.length + 1);
    }

    @Test
    void chunksOfAPromptAreReadOnce() {
        Heard first = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(3), ALONE).withLogprobs(3), first);
        first.await();
        Heard second = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(3), ALONE).withLogprobs(3), second);

        assertThat(second.await().end.join().cachedTokens()).isEqualTo(8);
        assertThat(second.tokens).isEqualTo(first.tokens);
    }

    @Test
    void anotherAdapterDoesNotShareAPrompt() {
        Served lora = Tiny.served(BASE, "llama-gqa", "lora", 1);
        for (Served served : List.of(ALONE, lora, new Served("lora", 2, lora.selection()))) {
            Heard heard = new Heard();
            engine.submit(Ask.of(PROMPT, tokens(1), served), heard);
            assertThat(heard.await().end.join().cachedTokens()).isZero();
        }
    }

    @Test
    void whatHasRoomAtOnceNeedsNoQueue() {
        try (Engine small = new Engine(BASE, null, new Engine.Options(8, 2, 32, 0))) {
            List<Heard> all = Stream.generate(Heard::new).limit(8).toList();
            Ask ask = Ask.of(PROMPT, tokens(1), ALONE);
            small.submit(Collections.nCopies(8, ask), List.copyOf(all));
            all.forEach(Heard::await);
            assertThatThrownBy(() -> small.submit(Collections.nCopies(9, ask), Collections.nCopies(9, new Heard())))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("there are 9 texts, at most 8 at once");
        }
    }

    @Test
    void aFullQueueRefusesAtOnce() {
        CountDownLatch latch = new CountDownLatch(1);
        Heard held = holding(latch);
        engine.submit(Ask.of(PROMPT, tokens(1), ALONE), held);
        held.first.join();
        List<Heard> waiting = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            waiting.add(new Heard());
            engine.submit(Ask.of(PROMPT, tokens(1), ALONE), waiting.get(i));
        }

        assertThatThrownBy(() -> engine.submit(Ask.of(PROMPT, tokens(1), ALONE), new Heard()))
                .isInstanceOfSatisfying(
                        Refused.class, refused -> assertThat(refused.reason()).isEqualTo(Refused.Reason.FULL));
        latch.countDown();
        waiting.forEach(Heard::await);
    }

    @Test
    void aCancelledTextLeavesItsPlace() throws InterruptedException {
        CountDownLatch latch = new CountDownLatch(1);
        Heard heard = holding(latch);
        Ticket ticket = engine.submit(Ask.of(PROMPT, tokens(50), ALONE), heard);
        heard.first.join();
        ticket.cancel();
        latch.countDown();
        Heard next = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(5), ALONE), next);
        next.await();

        assertThat(engine.running()).isZero();
        assertThat(heard.tokens).hasSizeLessThan(50);
        assertThat(heard.end).isNotDone();
    }

    @Test
    void aTextThatTakesTooLongIsGivenUp() {
        Heard heard = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(5), ALONE).withDeadline(System.nanoTime() - 1), heard);

        assertThatThrownBy(heard::await)
                .isInstanceOfSatisfying(
                        Refused.class, refused -> assertThat(refused.reason()).isEqualTo(Refused.Reason.LATE));
    }

    @Test
    void drainingFinishesWhatIsThere() {
        List<Heard> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            all.add(new Heard());
            engine.submit(Ask.of(PROMPT, tokens(6), ALONE), all.get(i));
        }
        assertThat(engine.drain(0)).isTrue();

        assertThat(all).allSatisfy(heard -> assertThat(heard.end).isCompleted());
        assertThatThrownBy(() -> engine.submit(Ask.of(PROMPT, tokens(1), ALONE), new Heard()))
                .isInstanceOfSatisfying(
                        Refused.class, refused -> assertThat(refused.reason()).isEqualTo(Refused.Reason.STOPPING));
    }

    @Test
    void aPromptThatTheModelCanNotTakeIsRefused() {
        assertThatThrownBy(() -> engine.submit(Ask.of(new int[0], tokens(1), ALONE), new Heard()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no tokens");
        assertThatThrownBy(() -> engine.submit(
                        Ask.of(new int[BASE.backbone().maxPositions() + 1], tokens(1), ALONE), new Heard()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("can take");
    }

    @Test
    void probabilitiesAreTheModels() {
        Heard heard = new Heard();
        engine.submit(Ask.of(PROMPT, tokens(4), ALONE).withLogprobs(5), heard);

        for (Token token : heard.await().tokens) {
            assertThat(token.likeliest())
                    .hasSize(5)
                    .isSortedAccordingTo((a, b) -> Double.compare(b.logprob(), a.logprob()));
            assertThat(token.likeliest().get(0).id()).isEqualTo(token.id());
            assertThat(token.logprob())
                    .isEqualTo(token.likeliest().get(0).logprob())
                    .isNegative();
        }
    }
}
