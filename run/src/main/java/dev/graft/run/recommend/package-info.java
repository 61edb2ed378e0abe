/** Methods that fit a budget on a base and rows. */
@NullMarked
package dev.graft.run.recommend;

import org.jspecify.annotations.NullMarked;
