/**
 * The places where a frozen model can be adapted. A model calls its {@link dev.graft.models.sites.Hooks} at every site;
 * without adapters those do what the frozen model does.
 */
@NullMarked
package dev.graft.models.sites;

import org.jspecify.annotations.NullMarked;
