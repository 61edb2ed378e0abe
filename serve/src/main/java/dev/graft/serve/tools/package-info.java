/** Functions that a model may call: what it is told of them, and its calls in what it writes. */
@NullMarked
package dev.graft.serve.tools;

import org.jspecify.annotations.NullMarked;
