package dev.graft.serve.http;

import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.Token;
import dev.graft.serve.json.TokenBytes;
import dev.graft.serve.tools.Piece;
import dev.graft.serve.tools.Told;
import dev.graft.serve.tools.Tools;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** How texts are told: as messages or as plain texts. */
enum Shape {
    CHAT("chat.completion", "chat.completion.chunk", "chatcmpl-", "messages"),
    TEXT("text_completion", "text_completion", "cmpl-", "prompt");

    final String object;
    final String chunk;
    final String prefix;

    /** The field of a request that says what is gone on from. */
    final String input;

    Shape(String object, String chunk, String prefix, String input) {
        this.object = object;
        this.chunk = chunk;
        this.prefix = prefix;
        this.input = input;
    }

    /** Fills a choice of a whole answer. */
    void whole(ObjectNode choice, Told told) {
        if (this == CHAT) {
            ObjectNode message = choice.putObject("message");
            message.put("role", "assistant");
            message.put("content", told.calls().isEmpty() || !told.said().isEmpty() ? told.said() : null);
            message.putNull("refusal");
            if (!told.calls().isEmpty()) {
                ArrayNode list = message.putArray("tool_calls");
                told.calls().forEach(call -> list.add(call.json()));
            }
        } else {
            choice.put("text", told.said());
        }
    }

    /** Fills a choice of a stream's chunk. A call's id and function come first, then pieces of its arguments. */
    void piece(ObjectNode choice, Piece piece) {
        if (this == TEXT) {
            choice.put("text", piece instanceof Piece.Said said ? said.text() : "");
            return;
        }
        ObjectNode delta = choice.putObject("delta");
        if (piece instanceof Piece.Said said && !said.text().isEmpty()) {
            delta.put("content", said.text());
        } else if (piece instanceof Piece.Begun call) {
            ObjectNode json = new Tools.Call(call.id(), call.name(), "").json();
            delta.putArray("tool_calls").add(json.put("index", call.index()));
        } else if (piece instanceof Piece.Arguments more) {
            ObjectNode json = delta.putArray("tool_calls").addObject();
            json.put("index", more.index()).putObject("function").put("arguments", more.text());
        }
    }

    /** Writes the probabilities of tokens into a choice. */
    void logprobs(ObjectNode choice, List<Token> tokens, Tokenizer tokenizer) {
        ObjectNode logprobs = choice.putObject("logprobs");
        if (this == CHAT) {
            ArrayNode content = logprobs.putArray("content");
            TokenBytes bytes = new TokenBytes(tokenizer);
            for (Token token : tokens) {
                ObjectNode entry = entry(content, token.id(), token.logprob(), tokenizer, bytes);
                ArrayNode top = entry.putArray("top_logprobs");
                token.likeliest().forEach(likely -> entry(top, likely.id(), likely.logprob(), tokenizer, bytes));
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
            offsets.add(offset);
            offset += text.length();
            if (Double.isNaN(token.logprob())) {
                values.addNull();
                tops.addNull();
                continue;
            }
            values.add(token.logprob());
            ObjectNode top = tops.addObject();
            token.likeliest().forEach(likely -> top.put(text(likely.id(), tokenizer), likely.logprob()));
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
