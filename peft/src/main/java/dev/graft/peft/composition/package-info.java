/** Combinations of several adapters, into one adapter or token by token. */
@NullMarked
package dev.graft.peft.composition;

import org.jspecify.annotations.NullMarked;
