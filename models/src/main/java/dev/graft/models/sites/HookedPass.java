package dev.graft.models.sites;

/** A forward pass and the hooks that it calls at its sites. */
public interface HookedPass extends PassView {
    Hooks hooks();
}
