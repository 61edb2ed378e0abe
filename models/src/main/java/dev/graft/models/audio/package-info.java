/** Recordings: reading them, bringing them to another rate, and what models of sounds see of them. */
@NullMarked
package dev.graft.models.audio;

import org.jspecify.annotations.NullMarked;
