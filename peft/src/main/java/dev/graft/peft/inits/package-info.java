/** Initialisations of LoRA's two matrices: {@code init_lora_weights}, one small file each. */
@NullMarked
package dev.graft.peft.inits;

import org.jspecify.annotations.NullMarked;
