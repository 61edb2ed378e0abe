/** Measurements of training and loading, alone and beside Hugging Face PEFT. */
@NullMarked
package dev.graft.run.bench;

import org.jspecify.annotations.NullMarked;
