/**
 * Tool calls. {@link dev.graft.serve.tools.Tools} are the functions of a request, as the prompt describes them to the model.
 * {@link dev.graft.serve.tools.ToolCallParser} finds their calls in the text that the model generates, piece by piece.
 */
@NullMarked
package dev.graft.serve.tools;

import org.jspecify.annotations.NullMarked;
