/** Which method to try first, from what was measured. */
@NullMarked
package dev.graft.eval.recommend;

import org.jspecify.annotations.NullMarked;
