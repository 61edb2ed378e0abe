/** Pretrained models as files, exposed as Hugging Face names and fields for any file format. */
@NullMarked
package dev.graft.models.checkpoints;

import org.jspecify.annotations.NullMarked;
