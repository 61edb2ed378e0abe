/**
 * The two engines, each with one thread over one base. {@link dev.graft.serve.engine.Engine} generates texts: {@code Prefill} reads
 * prompts, {@code Decode} writes one token for each text of a pass. {@link dev.graft.serve.engine.EncoderEngine} encodes whole texts:
 * {@code EncodeJob} groups them and {@code EncodeBatcher} runs them. Both take requests from a {@code FairQueue}, and in both the result
 * for a text is bit-identical whatever texts share its passes.
 */
@NullMarked
package dev.graft.serve.engine;

import org.jspecify.annotations.NullMarked;
