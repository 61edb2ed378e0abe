/** The methods, one file each. */
@NullMarked
package dev.graft.peft.methods;

import org.jspecify.annotations.NullMarked;
