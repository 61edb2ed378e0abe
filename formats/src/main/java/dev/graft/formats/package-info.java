/**
 * Files and the named tensors in them: safetensors, GGUF, ONNX initialisers, npy; strict JSON; atomic writes. No native code.
 *
 * <p>Every reader treats its input as hostile: sizes are checked against the file before anything is allocated, and violations of the format
 * raise a {@link dev.graft.formats.FormatException} that names the file and the place.
 */
@NullMarked
package dev.graft.formats;

import org.jspecify.annotations.NullMarked;
