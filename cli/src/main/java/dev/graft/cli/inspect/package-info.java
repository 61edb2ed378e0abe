/** {@code graft inspect}: what a model and an adapter are made of, and what a method would train on it. */
@NullMarked
package dev.graft.cli.inspect;

import org.jspecify.annotations.NullMarked;
