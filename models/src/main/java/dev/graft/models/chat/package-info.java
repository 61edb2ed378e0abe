/**
 * Conversations as the text and tokens that a chat model was trained on, by the template that comes with it.
 *
 * <pre>{@code
 * ChatTemplate template = ChatTemplate.load(folder);
 * Chat chat = new Chat(template, Tokenizers.load(folder));
 * Encoding prompt = chat.prompt(List.of(Message.user("What is grafting?")));
 * }</pre>
 */
@NullMarked
package dev.graft.models.chat;

import org.jspecify.annotations.NullMarked;
