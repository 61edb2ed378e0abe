/**
 * Converts text to token ids and back, exactly as in training: Hugging Face {@code tokenizer.json}, BERT
 * {@code vocab.txt}, GGUF.
 *
 * <pre>{@code
 * Tokenizer tokenizer = Tokenizers.load(Path.of("bert-base-uncased"));
 * Encoding e = tokenizer.encode("Grafting works.", EncodeOptions.DEFAULT.withTruncation(128));
 * }</pre>
 */
@NullMarked
package dev.graft.models.tokenizers;

import org.jspecify.annotations.NullMarked;
