/**
 * Parameter-efficient fine-tuning of a frozen {@link dev.graft.models.Base}. Methods declare effects at sites, adapters
 * contain the trained parameters, and selections choose the adapters for the rows.
 */
@NullMarked
package dev.graft.peft;

import org.jspecify.annotations.NullMarked;
