package dev.graft.serve.http;

import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.json.TokenBytes;
import dev.graft.serve.tools.AssistantMessage;
import dev.graft.serve.tools.MessageDelta;
import dev.graft.serve.tools.Tools;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The API of completions: chat messages or plain texts. */
enum CompletionApi {
    CHAT("chat.completion", "chat.completion.chunk", "chatcmpl-", "messages"),
    TEXT("text_completion", "text_completion", "cmpl-", "prompt");

    final String object;
    final String chunkObject;
    final String idPrefix;

    /** The field of a request with the prompt or the messages. */
    final String promptField;

    CompletionApi(String object, String chunk, String prefix, String input) {
        this.object = object;
        this.chunkObject = chunk;
        this.idPrefix = prefix;
        this.promptField = input;
    }

    /** Fills a choice of a whole answer. */
    void writeMessage(ObjectNode choice, AssistantMessage assistantMessage) {
        if (this == CHAT) {
            ObjectNode message = choice.putObject("message");
            message.put("role", "assistant");
            message.put(
                    "content",
                    assistantMessage.toolCalls().isEmpty()
                                    || !assistantMessage.content().isEmpty()
                            ? assistantMessage.content()
                            : null);
            message.putNull("refusal");
            if (!assistantMessage.toolCalls().isEmpty()) {
                ArrayNode list = message.putArray("tool_calls");
                assistantMessage.toolCalls().forEach(call -> list.add(call.json()));
            }
        } else {
            choice.put("text", assistantMessage.content());
        }
    }

    /** Fills a choice of a stream's chunk. A call's id and function come first, then pieces of its arguments. */
    void writeDelta(ObjectNode choice, MessageDelta messageDelta) {
        if (this == TEXT) {
            choice.put("text", messageDelta instanceof MessageDelta.TextDelta content ? content.text() : "");
            return;
        }
        ObjectNode delta = choice.putObject("delta");
        if (messageDelta instanceof MessageDelta.TextDelta content
                && !content.text().isEmpty()) {
            delta.put("content", content.text());
        } else if (messageDelta instanceof MessageDelta.ToolCallStart call) {
            ObjectNode json = new Tools.ToolCall(call.id(), call.name(), "").json();
            delta.putArray("tool_calls").add(json.put("index", call.index()));
        } else if (messageDelta instanceof MessageDelta.ToolCallArguments more) {
            ObjectNode json = delta.putArray("tool_calls").addObject();
            json.put("index", more.index()).putObject("function").put("arguments", more.text());
        }
    }

    /** Writes the probabilities of tokens into a choice. */
    void writeLogprobs(ObjectNode choice, List<TokenLogprob> tokens, Tokenizer tokenizer) {
        ObjectNode logprobs = choice.putObject("logprobs");
        if (this == CHAT) {
            ArrayNode content = logprobs.putArray("content");
            TokenBytes bytes = new TokenBytes(tokenizer);
            for (TokenLogprob token : tokens) {
                ObjectNode entry = entry(content, token.id(), token.logprob(), tokenizer, bytes);
                ArrayNode top = entry.putArray("top_logprobs");
                token.topLogprobs().forEach(likely -> entry(top, likely.id(), likely.logprob(), tokenizer, bytes));
            }
            logprobs.putNull("refusal");
            return;
        }
        ArrayNode texts = logprobs.putArray("tokens");
        ArrayNode values = logprobs.putArray("token_logprobs");
        ArrayNode tops = logprobs.putArray("top_logprobs");
        ArrayNode offsets = logprobs.putArray("text_offset");
        int offset = 0;
        for (TokenLogprob token : tokens) {
            String text = text(token.id(), tokenizer);
            texts.add(text);
            offsets.add(offset);
            offset += text.length();
            if (Double.isNaN(token.logprob())) {
                values.addNull();
                tops.addNull();
                continue;
            }
            values.add(token.logprob());
            ObjectNode top = tops.addObject();
            token.topLogprobs().forEach(likely -> top.put(text(likely.id(), tokenizer), likely.logprob()));
            // As OpenAI's: one more where the token is none of the likeliest.
            top.put(text, token.logprob());
        }
    }

    /** Its bytes join to the answer's where a token is part of a character, whose text is U+FFFD. */
    private static ObjectNode entry(ArrayNode list, int id, double logprob, Tokenizer tokenizer, TokenBytes known) {
        ObjectNode entry = list.addObject();
        String text = text(id, tokenizer);
        entry.put("token", text);
        entry.put("logprob", logprob);
        ArrayNode bytes = entry.putArray("bytes");
        byte[] own = known.of(id);
        for (byte b : own == null ? text.getBytes(StandardCharsets.UTF_8) : own) {
            bytes.add(b & 0xff);
        }
        return entry;
    }

    private static String text(int id, Tokenizer tokenizer) {
        return tokenizer.decode(new int[] {id}, false);
    }
}
