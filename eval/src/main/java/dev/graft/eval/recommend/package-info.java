/** The methods to try first, from measurements. */
@NullMarked
package dev.graft.eval.recommend;

import org.jspecify.annotations.NullMarked;
