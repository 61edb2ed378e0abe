/** Rotations of weights by orthogonal matrices. */
@NullMarked
package dev.graft.peft.methods.orthogonal;

import org.jspecify.annotations.NullMarked;
