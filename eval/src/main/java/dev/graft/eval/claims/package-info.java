/** The survey's claims about methods, each tested by an experiment with an effect size and its interval. */
@NullMarked
package dev.graft.eval.claims;

import org.jspecify.annotations.NullMarked;
