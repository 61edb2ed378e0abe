/** Updates of weights other than LoRA. */
@NullMarked
package dev.graft.peft.methods.update;

import org.jspecify.annotations.NullMarked;
