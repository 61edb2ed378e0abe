package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.EngineObserver;
import dev.graft.serve.RejectedException;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.Numerics;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whole texts wait, are given up and are refused as they must be. */
@Timeout(60)
class EncoderEngineTest {
    private final Base base =
            Base.load(Tiny.FIXTURES.resolve("bases/bert-base"), Base.Options.of(Task.FEATURE_EXTRACTION));

    private EncodeRequest ask(int texts) {
        return ask(texts, "", Long.MAX_VALUE);
    }

    private EncodeRequest ask(int texts, String tenant, long deadline) {
        Random random = new Random(texts);
        List<Encoding> encodings = IntStream.range(0, texts)
                .mapToObj(i ->
                        EncoderInvarianceTest.text(random, 8, base.backbone().vocabSize()))
                .toList();
        return new EncodeRequest(encodings, ServedModel.base("bert"), tenant, deadline);
    }

    private static RecordingEncodeListener heard(EncoderEngine engine, EncodeRequest request) {
        RecordingEncodeListener heard = new RecordingEncodeListener();
        engine.submit(request, heard);
        return heard;
    }

    private static void assertRefused(RecordingEncodeListener heard, RejectedException.Reason reason) {
        assertThatThrownBy(heard.answers::join)
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOfSatisfying(
                        RejectedException.class, why -> assertThat(why.reason()).isEqualTo(reason));
        heard.left.join();
    }

    @Test
    void tooManyAreRefused() {
        try (EncoderEngine engine = new EncoderEngine(base, new EncoderEngine.Options(2000, 1, 8))) {
            RecordingEncodeListener first = heard(engine, ask(2000));
            assertThatThrownBy(() -> {
                        while (!first.answers.isDone()) {
                            engine.submit(ask(2000), new RecordingEncodeListener());
                        }
                    })
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            why -> assertThat(why.reason()).isEqualTo(RejectedException.Reason.FULL));
            assertThatThrownBy(() -> engine.submit(ask(2001), new RecordingEncodeListener()))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("expected 1 to 2000");
            assertThatThrownBy(() -> engine.submit(ask(0), new RecordingEncodeListener()))
                    .isInstanceOf(InputException.class);
        }
    }

    @Test
    void aTextOfACancelledRequestIsNotRead() {
        CountDownLatch cancel = new CountDownLatch(1);
        AtomicInteger reads = new AtomicInteger();
        EngineObserver observer = new EngineObserver() {
            @Override
            public void onInputTokens(ServedModel model, int tokens) {
                reads.incrementAndGet();
                await(cancel);
            }
        };
        try (EncoderEngine engine = new EncoderEngine(base, new EncoderEngine.Options(64, 1, 8), observer)) {
            RecordingEncodeListener cancelled = new RecordingEncodeListener();
            engine.submit(ask(64), cancelled).cancel();
            cancel.countDown();
            cancelled.left.join();
            assertThat(reads).hasValueLessThan(64);
            assertThat(cancelled.answers).isNotDone();
            assertThat(heard(engine, ask(2)).answers.join()).hasSize(2);
            assertThat(engine.waiting() + engine.running()).isZero();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException stop) {
            throw new AssertionError(stop);
        }
    }

    @Test
    void aLateRequestIsGivenUp() {
        try (EncoderEngine engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT)) {
            assertRefused(heard(engine, ask(3, "", System.nanoTime() - 1)), RejectedException.Reason.LATE);
        }
    }

    @Test
    void whatWaitsIsFinishedByDrainAndGivenUpByClose() {
        EncoderEngine drained = new EncoderEngine(base, EncoderEngine.Options.DEFAULT);
        RecordingEncodeListener finished = heard(drained, ask(40));
        assertThat(drained.drain(0)).isTrue();
        assertThat(finished.answers.join()).hasSize(40);
        assertThatThrownBy(() -> drained.submit(ask(1), new RecordingEncodeListener()))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        why -> assertThat(why.reason()).isEqualTo(RejectedException.Reason.STOPPING));

        EncoderEngine closed = new EncoderEngine(base, new EncoderEngine.Options(2000, 1, 8));
        RecordingEncodeListener given = heard(closed, ask(2000));
        closed.close();
        assertRefused(given, RejectedException.Reason.STOPPING);
    }

    /** A tenant with many texts doesn't hold up one with few. */
    @Test
    void tenantsTakeTurns() {
        try (EncoderEngine engine = new EncoderEngine(base, new EncoderEngine.Options(4000, 4, 32))) {
            RecordingEncodeListener many = heard(engine, ask(3000, "many", Long.MAX_VALUE));
            RecordingEncodeListener few = heard(engine, ask(3, "few", Long.MAX_VALUE));
            few.answers.join();
            assertThat(many.answers).isNotDone();
            assertThat(many.answers.join()).hasSize(3000);
        }
    }

    @Test
    void aBaseThatContinuesTextsIsRefused() {
        Base llama = Tiny.base("llama-gqa", Numerics.FP32);
        assertThatThrownBy(() -> new EncoderEngine(llama, EncoderEngine.Options.DEFAULT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("feature_extraction")
                .hasMessageContaining("causal_lm");
    }
}
