package dev.graft.serve.http;

import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.Token;
import dev.graft.serve.tools.Tools;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** How texts are told: as messages or as plain texts. */
enum Shape {
    CHAT("chat.completion", "chat.completion.chunk", "chatcmpl-"),
    TEXT("text_completion", "text_completion", "cmpl-");

    final String object;
    final String chunk;
    final String prefix;

    Shape(String object, String chunk, String prefix) {
        this.object = object;
        this.chunk = chunk;
        this.prefix = prefix;
    }

    /** Fills a choice of a whole answer. */
    void whole(ObjectNode choice, String text, List<Tools.Call> calls) {
        if (this == CHAT) {
            ObjectNode message = choice.putObject("message");
            message.put("role", "assistant");
            message.put("content", calls.isEmpty() || !text.isEmpty() ? text : null);
            message.putNull("refusal");
            if (!calls.isEmpty()) {
                ArrayNode list = message.putArray("tool_calls");
                calls.forEach(call -> list.add(call.json()));
            }
        } else {
            choice.put("text", text);
        }
    }

    /** Fills a choice of a stream's chunk. */
    void piece(ObjectNode choice, String text) {
        if (this == CHAT) {
            ObjectNode delta = choice.putObject("delta");
            if (!text.isEmpty()) {
                delta.put("content", text);
            }
        } else {
            choice.put("text", text);
        }
    }

    /** Fills a choice of a stream's chunk with calls of functions. */
    static void calls(ObjectNode choice, List<Tools.Call> calls) {
        ArrayNode list = choice.putObject("delta").putArray("tool_calls");
        calls.forEach(call -> list.add(call.json().put("index", list.size())));
    }

    /** Writes the probabilities of tokens into a choice. */
    void logprobs(ObjectNode choice, List<Token> tokens, Tokenizer tokenizer) {
        ObjectNode logprobs = choice.putObject("logprobs");
        if (this == CHAT) {
            ArrayNode content = logprobs.putArray("content");
            for (Token token : tokens) {
                ObjectNode entry = entry(content, token.id(), token.logprob(), tokenizer);
                ArrayNode top = entry.putArray("top_logprobs");
                token.likeliest().forEach(likely -> entry(top, likely.id(), likely.logprob(), tokenizer));
            }
            logprobs.putNull("refusal");
            return;
        }
        ArrayNode texts = logprobs.putArray("tokens");
        ArrayNode values = logprobs.putArray("token_logprobs");
        ArrayNode tops = logprobs.putArray("top_logprobs");
        ArrayNode offsets = logprobs.putArray("text_offset");
        int offset = 0;
        for (Token token : tokens) {
            String text = text(token.id(), tokenizer);
            texts.add(text);
            values.add(token.logprob());
            offsets.add(offset);
            offset += text.length();
            ObjectNode top = tops.addObject();
            token.likeliest().forEach(likely -> top.put(text(likely.id(), tokenizer), likely.logprob()));
        }
    }

    private static ObjectNode entry(ArrayNode list, int id, double logprob, Tokenizer tokenizer) {
        ObjectNode entry = list.addObject();
        String text = text(id, tokenizer);
        entry.put("token", text);
        entry.put("logprob", logprob);
        ArrayNode bytes = entry.putArray("bytes");
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            bytes.add(b & 0xff);
        }
        return entry;
    }

    private static String text(int id, Tokenizer tokenizer) {
        return tokenizer.decode(new int[] {id}, false);
    }
}
