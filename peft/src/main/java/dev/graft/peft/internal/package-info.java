@NullMarked
package dev.graft.peft.internal;

import org.jspecify.annotations.NullMarked;
