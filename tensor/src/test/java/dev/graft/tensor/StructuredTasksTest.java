package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

class StructuredTasksTest {

    private static Future<String> failed(Exception failure) {
        FutureTask<String> task = new FutureTask<>(() -> {
            throw failure;
        });
        task.run();
        return task;
    }

    @Test
    void resultsComeInTheOrderOfTheTasks() {
        assertThat(StructuredTasks.joinAll(
                        List.of(CompletableFuture.completedFuture("a"), CompletableFuture.completedFuture("b"))))
                .containsExactly("a", "b");
    }

    @Test
    void aCheckedFailureIsNotPassedOver() {
        IOException full = new IOException("disk full");
        assertThatThrownBy(() -> StructuredTasks.joinAll(List.of(CompletableFuture.completedFuture("a"), failed(full))))
                .isInstanceOf(IllegalStateException.class)
                .hasCause(full);
    }

    @Test
    void theFirstFailureWinsButNotACancelledTask() {
        IllegalArgumentException wrong = new IllegalArgumentException("wrong");
        assertThatThrownBy(() -> StructuredTasks.joinAll(
                        List.of(failed(new CancellationException()), failed(wrong), failed(new RuntimeException()))))
                .isSameAs(wrong);
    }
}
