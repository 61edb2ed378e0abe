/**
 * {@code graft merge}, {@code graft merge-adapters} and {@code graft convert}: merge adapters into a model, combine them, convert them to
 * LoRA.
 */
@NullMarked
package dev.graft.cli.merge;

import org.jspecify.annotations.NullMarked;
