/** What the survey claims of methods, each claim as an experiment with an effect and its interval. */
@NullMarked
package dev.graft.eval.claims;

import org.jspecify.annotations.NullMarked;
