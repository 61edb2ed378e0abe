/** {@code graft bench}: how fast training is, alone and beside Hugging Face PEFT. */
@NullMarked
package dev.graft.cli.bench;

import org.jspecify.annotations.NullMarked;
