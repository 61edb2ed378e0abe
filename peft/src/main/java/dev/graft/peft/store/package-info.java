/** Versions of many adapters in one folder: added, signed, verified, rolled back, and loaded on demand. */
@NullMarked
package dev.graft.peft.store;

import org.jspecify.annotations.NullMarked;
