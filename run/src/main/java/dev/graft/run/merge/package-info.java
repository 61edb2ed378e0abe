/** Adapters merged into their base, combined into one, and converted to a plain LoRA. */
@NullMarked
package dev.graft.run.merge;

import org.jspecify.annotations.NullMarked;
