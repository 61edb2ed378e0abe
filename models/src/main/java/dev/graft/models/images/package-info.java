/** Converts picture files to the inputs of image models: reading, turning, resizing like PIL, normalising. */
@NullMarked
package dev.graft.models.images;

import org.jspecify.annotations.NullMarked;
