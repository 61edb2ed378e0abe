/**
 * libtorch for the rest of Graft: loading of its natives, the numerics policy, memory scopes, seeded randomness, common operations, and readable
 * errors. Tensors themselves are JavaCPP's {@link org.bytedeco.pytorch.Tensor}.
 */
@NullMarked
package dev.graft.tensor;

import org.jspecify.annotations.NullMarked;
