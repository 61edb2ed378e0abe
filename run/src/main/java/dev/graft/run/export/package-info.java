/** Models and adapters written as files of other programs. */
@NullMarked
package dev.graft.run.export;

import org.jspecify.annotations.NullMarked;
