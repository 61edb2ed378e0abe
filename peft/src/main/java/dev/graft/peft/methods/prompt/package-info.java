/** Trained prompts and prefixes. */
@NullMarked
package dev.graft.peft.methods.prompt;

import org.jspecify.annotations.NullMarked;
