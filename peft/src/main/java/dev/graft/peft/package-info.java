/**
 * Parameter-efficient fine-tuning of a frozen {@link dev.graft.models.Base}: methods say what is grafted where, adapters hold the
 * trained parameters, selections say which adapters act on which rows.
 */
@NullMarked
package dev.graft.peft;

import org.jspecify.annotations.NullMarked;
