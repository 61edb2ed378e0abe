/**
 * Serving of many adapters over one base. This package has the vocabulary: requests, listeners and the model that answers.
 *
 * <ul>
 *   <li>{@link dev.graft.serve.engine} computes the answers, many at once;
 *   <li>{@link dev.graft.serve.adapters} loads adapters and keeps them in memory;
 *   <li>{@link dev.graft.serve.json} constrains a text to JSON, and {@link dev.graft.serve.tools} reads and writes tool calls;
 *   <li>{@link dev.graft.serve.http} is the OpenAI-compatible server around them.
 * </ul>
 */
@NullMarked
package dev.graft.serve;

import org.jspecify.annotations.NullMarked;
