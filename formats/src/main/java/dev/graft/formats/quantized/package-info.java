/** Numbers in eight bits and fewer: the codes and their scales, as Java arrays. */
@NullMarked
package dev.graft.formats.quantized;

import org.jspecify.annotations.NullMarked;
