package dev.graft.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FairQueueTest {
    private final FairQueue<String> queue = new FairQueue<>(100);

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
        for (int i = 0; i < 5; i++) {
            queue.offer("a", "a" + i);
        }
        queue.offer("b", "b0");
        queue.offer("b", "b1");

        assertThat(served(7, 10)).containsExactly("a0", "b0", "a1", "b1", "a2", "a3", "a4");
        assertThat(queue.poll()).isNull();
    }

    @Test
    void aTenantThatWasAwayHasNothingSavedUp() {
        for (int i = 0; i < 6; i++) {
            queue.offer("a", "a" + i);
        }
        served(3, 100);
        for (int i = 0; i < 6; i++) {
            queue.offer("b", "b" + i);
        }

        assertThat(served(4, 100)).containsExactly("a3", "b0", "a4", "b1");
    }

    @Test
    void aFullQueueTakesNothing() {
        FairQueue<String> small = new FairQueue<>(1);

        assertThat(small.offer("a", "x")).isTrue();
        assertThat(small.offer("b", "y")).isFalse();
        assertThat(small.size()).isEqualTo(1);
    }
}
