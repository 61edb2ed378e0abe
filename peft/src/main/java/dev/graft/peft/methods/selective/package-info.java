/** Training of some of the base's own parameters. */
@NullMarked
package dev.graft.peft.methods.selective;

import org.jspecify.annotations.NullMarked;
