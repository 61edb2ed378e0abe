/** Methods that consist of several others. */
@NullMarked
package dev.graft.peft.methods.hybrid;

import org.jspecify.annotations.NullMarked;
