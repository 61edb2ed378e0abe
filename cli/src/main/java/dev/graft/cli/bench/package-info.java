/** {@code graft bench}: the speed of training, loading and serving, alone and compared with Hugging Face PEFT. */
@NullMarked
package dev.graft.cli.bench;

import org.jspecify.annotations.NullMarked;
