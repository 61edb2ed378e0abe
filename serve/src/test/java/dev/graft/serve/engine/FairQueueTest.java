package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.serve.RejectedException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FairQueueTest {
    private final FairQueue<String> queue = new FairQueue<>(100);

    private void offer(String... items) {
        queue.offer(List.of(items), item -> item.substring(0, 1), () -> 0);
    }

    private List<String> served(int count, double cost) {
        List<String> order = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String next = queue.poll();
            order.add(next);
            queue.charge(String.valueOf(next).substring(0, 1), cost);
        }
        return order;
    }

    @Test
    void tenantsTakeTurnsHoweverManyOneAsks() {
        offer("a0", "a1", "a2", "a3", "a4");
        offer("b0", "b1");

        assertThat(served(7, 10)).containsExactly("a0", "b0", "a1", "b1", "a2", "a3", "a4");
        assertThat(queue.poll()).isNull();
    }

    @Test
    void aTenantThatWasAwayHasNothingSavedUp() {
        offer("a0", "a1", "a2", "a3", "a4", "a5");
        served(3, 100);
        offer("b0", "b1", "b2", "b3", "b4", "b5");

        assertThat(served(4, 100)).containsExactly("a3", "b0", "a4", "b1");
    }

    @Test
    void aQueueTakesAllOrNone() {
        FairQueue<String> small = new FairQueue<>(2);

        small.offer(List.of("x"), item -> "a", () -> 0);
        assertThatThrownBy(() -> small.offer(List.of("y", "z"), item -> "b", () -> 5))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        why -> assertThat(why.reason()).isEqualTo(RejectedException.Reason.FULL));
        assertThat(small.size()).isEqualTo(1);
    }

    @Test
    void whoGathersWaitsForSoManyAndNotForever() throws InterruptedException {
        Thread late = new Thread(() -> offer("a0", "b0"));
        late.start();
        queue.awaitMore(2, Long.MAX_VALUE / 2);
        assertThat(queue.size()).isEqualTo(2);
        late.join();

        long start = System.nanoTime();
        queue.awaitMore(3, 20_000_000);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000L);
        queue.stop();
        queue.awaitMore(3, Long.MAX_VALUE / 2);
    }
}
