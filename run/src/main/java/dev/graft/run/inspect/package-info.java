/** The modules of a model and the parameters that choices of targets would train. */
@NullMarked
package dev.graft.run.inspect;

import org.jspecify.annotations.NullMarked;
