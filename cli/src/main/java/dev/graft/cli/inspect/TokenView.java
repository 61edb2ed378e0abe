package dev.graft.cli.inspect;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The tokens of a text.
 *
 * @param decoded the text that the tokens decode to
 */
record TokenView(String input, Encoding encoding, String decoded) implements View {

    static TokenView of(Base base, String text) {
        Tokenizer tokenizer = base.tokenizer();
        Encoding encoding = tokenizer.encode(text, EncodeOptions.DEFAULT);
        return new TokenView(text, encoding, tokenizer.decode(encoding.ids(), false));
    }

    @Override
    public String text() {
        Table table = new Table("", "id", "token", "text", "special");
        for (int i = 0; i < encoding.length(); i++) {
            boolean special = encoding.specialTokensMask()[i] == 1;
            table.row(
                    i,
                    encoding.ids()[i],
                    encoding.tokens().get(i),
                    special ? "" : "\"" + part(i) + "\"",
                    special ? "yes" : "");
        }
        return table + "\n" + encoding.length() + " tokens: " + decoded.replace("\n", "\\n") + "\n";
    }

    private String part(int token) {
        int start = input.offsetByCodePoints(0, encoding.starts()[token]);
        return input.substring(
                        start, input.offsetByCodePoints(start, encoding.ends()[token] - encoding.starts()[token]))
                .replace("\n", "\\n");
    }

    @Override
    public String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("text", input);
        json.put("decoded", decoded);
        ArrayNode tokens = json.putArray("tokens");
        for (int i = 0; i < encoding.length(); i++) {
            tokens.addObject()
                    .put("id", encoding.ids()[i])
                    .put("token", encoding.tokens().get(i))
                    .put("start", encoding.starts()[i])
                    .put("end", encoding.ends()[i])
                    .put("special", encoding.specialTokensMask()[i] == 1);
        }
        return Json.pretty(json);
    }
}
