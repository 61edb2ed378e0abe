/** Reads recordings, resamples them and computes the inputs of audio models. */
@NullMarked
package dev.graft.models.audio;

import org.jspecify.annotations.NullMarked;
