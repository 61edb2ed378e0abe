package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Work aside gives and throws what it would here, and its thread ends. */
class BackgroundThreadTest {
    @Test
    void givesWhatTheWorkGivesFromAThreadThatEnds() throws InterruptedException {
        Thread there = BackgroundThread.run(Thread::currentThread);

        assertThat(there).isNotSameAs(Thread.currentThread());
        there.join(10_000);
        assertThat(there.isAlive()).isFalse();
    }

    @Test
    void throwsWhatTheWorkThrows() {
        IllegalStateException failure = new IllegalStateException("no");

        assertThatThrownBy(() -> BackgroundThread.run(() -> {
                    throw failure;
                }))
                .isSameAs(failure);
    }
}
