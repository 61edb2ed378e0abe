/**
 * JSON output. A {@code JsonState} is the beginning of a JSON text and knows which bytes may follow it, with or without a
 * {@link dev.graft.serve.json.Schema}. {@link dev.graft.serve.json.JsonTokens} finds the tokens that fit and suppresses all others.
 */
@NullMarked
package dev.graft.serve.json;

import org.jspecify.annotations.NullMarked;
