package dev.graft.serve.http;

/** A rate limiter by a token bucket: a number of requests a minute, and as many at once. */
final class RateLimiter {
    private final int perMinute;
    private double left;
    private long at = System.nanoTime();

    /** @param perMinute 0 for any number */
    RateLimiter(int perMinute) {
        this.perMinute = perMinute;
        this.left = perMinute;
    }

    /** Counts a request; returns the seconds until it is allowed, 0 if it is now. */
    synchronized long acquire(long now) {
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
