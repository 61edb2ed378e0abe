/**
 * Runs reference cases against Graft: a tree of folders with a manifest, inputs and the outputs of the reference library. Every value of a
 * case is compared; features that Graft lacks are reported as not covered, never as passed.
 */
@NullMarked
package dev.graft.parity;

import org.jspecify.annotations.NullMarked;
