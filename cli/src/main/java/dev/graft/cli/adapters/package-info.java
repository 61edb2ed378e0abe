/** {@code graft adapters}: manages a store with versions of adapters. */
@NullMarked
package dev.graft.cli.adapters;

import org.jspecify.annotations.NullMarked;
