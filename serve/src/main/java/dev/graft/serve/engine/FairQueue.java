package dev.graft.serve.engine;

import dev.graft.serve.RejectedException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A queue that schedules tenants fairly by the virtual token counter (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024):
 * the tenant that has been served least. A tenant that returns has no credit for its absence: it starts at the counter of the active
 * tenants.
 *
 * <p>Any thread may offer, stop, await and drain. Callers of the other methods must hold the queue's lock if other threads use it.
 */
final class FairQueue<T> {
    private static final int MAX_TENANTS = 4096;

    private final int capacity;
    private final Map<String, Deque<T>> waiting = new LinkedHashMap<>();
    private final Map<String, Integer> active = new HashMap<>();
    private final Map<String, Double> virtualCounters = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Double> eldest) {
            return size() > MAX_TENANTS;
        }
    };
    private int size;
    private boolean stopped;

    FairQueue(int capacity) {
        this.capacity = capacity;
    }

    int size() {
        return size;
    }

    /**
     * Queues all items or none. The tenant of each is active until its {@link #release}.
     *
     * @param free the number of items that needn't wait if the queue is empty
     * @throws RejectedException if there is no room for them, or the queue is stopped
     */
    synchronized void offer(List<T> items, Function<T, String> tenant, IntSupplier free) {
        if (stopped) {
            throw new RejectedException(
                    RejectedException.Reason.STOPPING, "the server is stopping and takes no new requests");
        }
        int room = size == 0 ? Math.max(capacity, free.getAsInt()) : capacity - size;
        if (items.size() > room) {
            throw new RejectedException(
                    RejectedException.Reason.FULL, size + " texts are waiting already, at most " + capacity + " may");
        }
        items.forEach(item -> add(tenant.apply(item), item));
        notifyAll();
    }

    /** Stops accepting items. */
    synchronized void stop() {
        stopped = true;
        notifyAll();
    }

    /** Waits for an item while the engine is idle; returns false once the queue is stopped and empty. */
    synchronized boolean await(BooleanSupplier idle) {
        while (size == 0 && idle.getAsBoolean()) {
            if (stopped) {
                return false;
            }
            try {
                wait();
            } catch (InterruptedException stop) {
                return false;
            }
        }
        return true;
    }

    /** Waits until the queue has this many items, at most so many nanoseconds. */
    synchronized void awaitMore(int wanted, long most) {
        long end = System.nanoTime() + most;
        for (long left = most; size < wanted && !stopped && left > 0; left = end - System.nanoTime()) {
            try {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            } catch (InterruptedException stop) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /**
     * Stops accepting items, and waits for the thread that serves the queued ones.
     *
     * @param most the maximum wait in milliseconds; 0 for no limit
     * @return true if the thread has ended
     */
    boolean drain(Thread server, long most) {
        stop();
        try {
            server.join(most);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
        return !server.isAlive();
    }

    private void add(String tenant, T item) {
        if (!active.containsKey(tenant)) {
            double least = active.keySet().stream()
                    .mapToDouble(other -> virtualCounters.getOrDefault(other, 0.0))
                    .min()
                    .orElse(0);
            virtualCounters.merge(tenant, least, Math::max);
        }
        active.merge(tenant, 1, Integer::sum);
        waiting.computeIfAbsent(tenant, t -> new ArrayDeque<>()).add(item);
        size++;
    }

    /** The next one, or null. */
    @Nullable
    T poll() {
        String next = null;
        double least = Double.POSITIVE_INFINITY;
        for (String tenant : waiting.keySet()) {
            double own = virtualCounters.getOrDefault(tenant, 0.0);
            if (own < least) {
                least = own;
                next = tenant;
            }
        }
        if (next == null) {
            return null;
        }
        Deque<T> items = waiting.get(next);
        T item = items == null ? null : items.poll();
        if (items == null || items.isEmpty()) {
            waiting.remove(next);
        }
        size--;
        return item;
    }

    /** Adds the cost of service to a tenant's counter. */
    void charge(String tenant, double cost) {
        virtualCounters.merge(tenant, cost, Double::sum);
    }

    /** Releases an item of a tenant that is finished or abandoned. */
    void release(String tenant) {
        active.computeIfPresent(tenant, (t, count) -> count == 1 ? null : count - 1);
    }
}
