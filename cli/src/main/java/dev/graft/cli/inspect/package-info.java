/**
 * {@code graft inspect}: the modules of a model, the contents of adapters, and the parameters that a method would train.
 */
@NullMarked
package dev.graft.cli.inspect;

import org.jspecify.annotations.NullMarked;
