/** Task heads, which compute logits from the last hidden states. */
@NullMarked
package dev.graft.models.heads;

import org.jspecify.annotations.NullMarked;
