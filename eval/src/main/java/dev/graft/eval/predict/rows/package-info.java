/** The answers that a trained model has for rows, as {@code graft predict} prints them. */
@NullMarked
package dev.graft.eval.predict.rows;

import org.jspecify.annotations.NullMarked;
