/**
 * The adaptable places of a frozen model. A model calls its {@link dev.graft.models.sites.Hooks} at every site; their defaults compute the frozen
 * model.
 */
@NullMarked
package dev.graft.models.sites;

import org.jspecify.annotations.NullMarked;
