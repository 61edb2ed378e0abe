package dev.graft.serve.http;

/** So many requests a minute, and as many at once (a token bucket). */
final class Rate {
    private final int perMinute;
    private double left;
    private long at = System.nanoTime();

    /** @param perMinute 0 for any number */
    Rate(int perMinute) {
        this.perMinute = perMinute;
        this.left = perMinute;
    }

    /** Takes one request; returns how many seconds it comes too early, 0 if it may come. */
    synchronized long take(long now) {
        if (perMinute == 0) {
            return 0;
        }
        left = Math.min(perMinute, left + (now - at) / 6e10 * perMinute);
        at = now;
        if (left >= 1) {
            left--;
            return 0;
        }
        return (long) Math.ceil((1 - left) * 60 / perMinute);
    }
}
