/** Many methods on one task and one base: what each costs and what it buys. */
@NullMarked
package dev.graft.eval.compare;

import org.jspecify.annotations.NullMarked;
