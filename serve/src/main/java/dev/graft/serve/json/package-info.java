/** Texts that are JSON: which tokens may come next. */
@NullMarked
package dev.graft.serve.json;

import org.jspecify.annotations.NullMarked;
