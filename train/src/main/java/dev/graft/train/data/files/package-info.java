/** Data sets in files: their rows, checked once and read on access, and their splits. */
@NullMarked
package dev.graft.train.data.files;

import org.jspecify.annotations.NullMarked;
