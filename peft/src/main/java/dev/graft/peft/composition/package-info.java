/** Several adapters become one, or are mixed token by token. */
@NullMarked
package dev.graft.peft.composition;

import org.jspecify.annotations.NullMarked;
