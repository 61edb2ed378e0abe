/** Where files come from: a folder, the Hugging Face hub, Maven or PyPI, each by its own client, into a checked cache. */
@NullMarked
package dev.graft.hub;

import org.jspecify.annotations.NullMarked;
