/** Trained scales of activations. */
@NullMarked
package dev.graft.peft.methods.scaling;

import org.jspecify.annotations.NullMarked;
