/** Mixtures of several LoRAs. */
@NullMarked
package dev.graft.peft.methods.mixture;

import org.jspecify.annotations.NullMarked;
