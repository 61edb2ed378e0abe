/** Numbers in at most eight bits: codes and their scales, as Java arrays. */
@NullMarked
package dev.graft.formats.quantized;

import org.jspecify.annotations.NullMarked;
