/** {@code graft export}: models and adapters in the files of other programs. */
@NullMarked
package dev.graft.cli.export;

import org.jspecify.annotations.NullMarked;
