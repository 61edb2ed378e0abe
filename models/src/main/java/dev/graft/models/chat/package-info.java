/**
 * Conversations as the text and tokens that a chat model was trained on, rendered by its own template.
 *
 * <pre>{@code
 * Tokenizer tokenizer = Tokenizers.load(folder);
 * Chat chat = Chat.load(folder, tokenizer);
 * Encoding prompt = chat.prompt(List.of(Message.user("What is grafting?")));
 * }</pre>
 */
@NullMarked
package dev.graft.models.chat;

import org.jspecify.annotations.NullMarked;
