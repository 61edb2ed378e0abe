/**
 * Fetches files from a folder, the Hugging Face hub, Maven, PyPI, npm or Debian, each through its own client, into a checked cache.
 */
@NullMarked
package dev.graft.hub;

import org.jspecify.annotations.NullMarked;
