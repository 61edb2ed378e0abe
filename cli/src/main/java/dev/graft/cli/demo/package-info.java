/** {@code graft demo}. */
@NullMarked
package dev.graft.cli.demo;

import org.jspecify.annotations.NullMarked;
