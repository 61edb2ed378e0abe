/** Pictures from files to what an image model takes: reading, turning, resizing as PIL does, normalising. */
@NullMarked
package dev.graft.models.images;

import org.jspecify.annotations.NullMarked;
