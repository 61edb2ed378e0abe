package dev.graft.peft;

import org.bytedeco.pytorch.Tensor;

/**
 * The two matrices of a low-rank update.
 *
 * @param a {@code [r, in]}
 * @param b {@code [out, r]}
 */
public record Factors(Tensor a, Tensor b) {}
