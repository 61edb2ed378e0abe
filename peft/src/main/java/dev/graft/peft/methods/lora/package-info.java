/** LoRA and its variants. */
@NullMarked
package dev.graft.peft.methods.lora;

import org.jspecify.annotations.NullMarked;
