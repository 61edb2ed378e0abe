/** Wire-level readers and quantisation arithmetic behind the public readers. */
@NullMarked
package dev.graft.formats.internal;

import org.jspecify.annotations.NullMarked;
