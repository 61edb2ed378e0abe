/** Keys, values and recurrent states that a model keeps between passes over one text. */
@NullMarked
package dev.graft.models.cache;

import org.jspecify.annotations.NullMarked;
