/** Fields, gates and token rows that methods of several families share. */
@NullMarked
package dev.graft.peft.methods.internal;

import org.jspecify.annotations.NullMarked;
