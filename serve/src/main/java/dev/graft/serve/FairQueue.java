package dev.graft.serve;

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
 * Who is next, by the virtual token counter (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024): the tenant that has been
 * served least. A tenant that comes back doesn't have the time saved up that it was away: it starts with those who are there.
 *
 * <p>Any thread may offer, stop, await and drain. Who calls the other methods holds the queue's lock, where others may use it.
 */
final class FairQueue<T> {
    private static final int KNOWN = 4096;

    private final int capacity;
    private final Map<String, Deque<T>> waiting = new LinkedHashMap<>();
    private final Map<String, Integer> active = new HashMap<>();
    private final Map<String, Double> served = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Double> eldest) {
            return size() > KNOWN;
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
     * Takes all or none. The tenant of each is active until it is {@link #done}.
     *
     * @param free how many don't have to wait where nobody does
     * @throws Refused if there is no room for them, or it takes nothing new
     */
    synchronized void offer(List<T> items, Function<T, String> tenant, IntSupplier free) {
        if (stopped) {
            throw new Refused(Refused.Reason.STOPPING, "the server is stopping and takes no new requests");
        }
        int room = size == 0 ? Math.max(capacity, free.getAsInt()) : capacity - size;
        if (items.size() > room) {
            throw new Refused(Refused.Reason.FULL, size + " texts are waiting already, at most " + capacity + " may");
        }
        items.forEach(item -> add(tenant.apply(item), item));
        notifyAll();
    }

    /** Takes nothing new. */
    synchronized void stop() {
        stopped = true;
        notifyAll();
    }

    /** Waits for somebody to come where nobody is served; false when nobody will. */
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

    /** Waits for so many to be there, at most so many nanoseconds. */
    synchronized void gather(int wanted, long most) {
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
     * Takes nothing new, and waits for the thread that serves those who are there.
     *
     * @param most how many milliseconds; 0 for any number
     * @return whether it has ended
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
                    .mapToDouble(other -> served.getOrDefault(other, 0.0))
                    .min()
                    .orElse(0);
            served.merge(tenant, least, Math::max);
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
            double own = served.getOrDefault(tenant, 0.0);
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

    /** Counts what a tenant was given. */
    void charge(String tenant, double cost) {
        served.merge(tenant, cost, Double::sum);
    }

    /** One of a tenant's is finished, or given up. */
    void done(String tenant) {
        active.computeIfPresent(tenant, (t, count) -> count == 1 ? null : count - 1);
    }
}
