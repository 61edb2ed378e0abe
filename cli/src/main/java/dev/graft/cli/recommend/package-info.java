/** {@code graft recommend}: which methods fit a budget, and which to try first. */
@NullMarked
package dev.graft.cli.recommend;

import org.jspecify.annotations.NullMarked;
