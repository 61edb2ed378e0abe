/** Reports as one HTML file that needs nothing else: no script, no font, no image from outside. */
@NullMarked
package dev.graft.eval.report;

import org.jspecify.annotations.NullMarked;
