/** Bottleneck adapters: small networks between the layers. */
@NullMarked
package dev.graft.peft.methods.bottleneck;

import org.jspecify.annotations.NullMarked;
