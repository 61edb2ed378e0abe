/** {@code graft pull}: fetches models and data before they are needed. */
@NullMarked
package dev.graft.cli.pull;

import org.jspecify.annotations.NullMarked;
