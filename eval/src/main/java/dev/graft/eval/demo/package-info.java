/** The demonstration: a linear probe and LoRA on definitions of nouns, compared, saved, loaded again, merged and used. */
@NullMarked
package dev.graft.eval.demo;

import org.jspecify.annotations.NullMarked;
