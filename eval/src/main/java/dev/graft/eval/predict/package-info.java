/** What a trained model says about new texts. */
@NullMarked
package dev.graft.eval.predict;

import org.jspecify.annotations.NullMarked;
