/** Conversions of adapters to other forms. */
@NullMarked
package dev.graft.peft.convert;

import org.jspecify.annotations.NullMarked;
