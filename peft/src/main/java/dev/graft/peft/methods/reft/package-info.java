/** Edits of hidden states. */
@NullMarked
package dev.graft.peft.methods.reft;

import org.jspecify.annotations.NullMarked;
