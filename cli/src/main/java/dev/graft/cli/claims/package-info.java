/** {@code graft claims}: whether what the survey claims of methods holds. */
@NullMarked
package dev.graft.cli.claims;

import org.jspecify.annotations.NullMarked;
