/** Versions of many adapters in one folder: added, signed, verified, rolled back, and loaded when they are asked for. */
@NullMarked
package dev.graft.peft.store;

import org.jspecify.annotations.NullMarked;
