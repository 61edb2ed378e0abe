package dev.graft.peft;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor of an adapter.
 *
 * @param key its name: the site's module path and a suffix, or a name of its own; {@code *} stands for the adapter's name
 * @param value a leaf of the gradient graph if it is trainable
 * @param saved whether files hold it; if not, only checkpoints of a training do
 * @param counted whether it is among all parameters in PEFT's sense; its buffers are not
 */
public record Parameter(String key, Tensor value, boolean trainable, boolean saved, boolean counted) {}
