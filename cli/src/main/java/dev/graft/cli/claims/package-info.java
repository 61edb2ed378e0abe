/** {@code graft claims}: tests a survey's claims about methods. */
@NullMarked
package dev.graft.cli.claims;

import org.jspecify.annotations.NullMarked;
