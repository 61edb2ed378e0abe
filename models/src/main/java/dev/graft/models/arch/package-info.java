/** The architectures, one file each. */
@NullMarked
package dev.graft.models.arch;

import org.jspecify.annotations.NullMarked;
