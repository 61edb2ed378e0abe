package dev.graft.eval.predict.rows;

import java.util.function.Supplier;
import tools.jackson.databind.node.ObjectNode;

/**
 * The output of a prediction for a row.
 *
 * @param json the output as JSON
 * @param text the output as text of one or several lines
 */
public record RowAnswer(Supplier<ObjectNode> json, Supplier<String> text) {}
