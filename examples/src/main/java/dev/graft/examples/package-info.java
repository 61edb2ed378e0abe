/** Programs that use the library. */
@NullMarked
package dev.graft.examples;

import org.jspecify.annotations.NullMarked;
