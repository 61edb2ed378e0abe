/** MT-Bench: conversations of two turns, and who judges them. */
@NullMarked
package dev.graft.eval.suites.chat;

import org.jspecify.annotations.NullMarked;
