/** {@code graft adapters}: the versions of many adapters in one folder. */
@NullMarked
package dev.graft.cli.adapters;

import org.jspecify.annotations.NullMarked;
