package dev.graft.parity;

import tools.jackson.databind.JsonNode;

/** The allowed difference from the reference: {@code atol + rtol · largest |reference value|}. */
record Tolerance(double atol, double rtol) {
    static final Tolerance EXACT = new Tolerance(0, 0);

    /** The tolerance of numbers computed in double precision on both sides. */
    static final Tolerance DOUBLE = new Tolerance(1e-12, 1e-12);

    static Tolerance read(JsonNode tolerance) {
        if (!tolerance.path("atol").isNumber() || !tolerance.path("rtol").isNumber()) {
            throw new IllegalArgumentException("the manifest's tolerance is " + tolerance + ", expected atol and rtol");
        }
        return new Tolerance(
                tolerance.get("atol").doubleValue(), tolerance.get("rtol").doubleValue());
    }

    double limit(double scale) {
        return atol + rtol * scale;
    }

    /** At least this much. */
    Tolerance atLeast(double value) {
        return new Tolerance(Math.max(atol, value), Math.max(rtol, value));
    }
}
