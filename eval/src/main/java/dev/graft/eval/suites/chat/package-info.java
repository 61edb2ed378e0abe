/** MT-Bench: conversations of two turns, and judges of them. */
@NullMarked
package dev.graft.eval.suites.chat;

import org.jspecify.annotations.NullMarked;
