/**
 * libtorch for the rest of Graft: the check that its natives are there, the numerics policy, memory scopes, seeded
 * randomness, the operations the models use, and errors a person can read. Tensors themselves are JavaCPP's
 * {@link org.bytedeco.pytorch.Tensor}.
 */
@NullMarked
package dev.graft.tensor;

import org.jspecify.annotations.NullMarked;
