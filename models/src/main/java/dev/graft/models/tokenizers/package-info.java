/**
 * Text to token ids and back, exactly as the model was trained: Hugging Face {@code tokenizer.json}, BERT {@code vocab.txt}, GGUF.
 *
 * <pre>{@code
 * Tokenizer tokenizer = Tokenizers.load(Path.of("bert-base-uncased"));
 * Encoding e = tokenizer.encode("Grafting works.", EncodeOptions.DEFAULT.truncate(128));
 * }</pre>
 */
@NullMarked
package dev.graft.models.tokenizers;

import org.jspecify.annotations.NullMarked;
