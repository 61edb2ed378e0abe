/** Methods by name, from the options of a recipe. */
@NullMarked
package dev.graft.run.methods;

import org.jspecify.annotations.NullMarked;
