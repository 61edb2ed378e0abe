/** Predictions of a trained model for new rows. */
@NullMarked
package dev.graft.eval.predict;

import org.jspecify.annotations.NullMarked;
