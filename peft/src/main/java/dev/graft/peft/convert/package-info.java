/** Adapters in another form. */
@NullMarked
package dev.graft.peft.convert;

import org.jspecify.annotations.NullMarked;
