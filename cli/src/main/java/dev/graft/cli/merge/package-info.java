/** {@code graft merge}: adapters become part of a model's weights. */
@NullMarked
package dev.graft.cli.merge;

import org.jspecify.annotations.NullMarked;
