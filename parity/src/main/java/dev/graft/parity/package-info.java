/**
 * Runs reference cases against Graft: a tree of folders with a manifest, inputs and the outputs of the reference library. Whatever a case
 * states is compared; what Graft doesn't have is reported as not covered, never as passed.
 */
@NullMarked
package dev.graft.parity;

import org.jspecify.annotations.NullMarked;
