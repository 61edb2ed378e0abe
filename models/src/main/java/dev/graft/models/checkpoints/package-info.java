/** Pretrained models as files, shown as Hugging Face names and fields whatever container they came in. */
@NullMarked
package dev.graft.models.checkpoints;

import org.jspecify.annotations.NullMarked;
