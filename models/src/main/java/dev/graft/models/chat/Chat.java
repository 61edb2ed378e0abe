package dev.graft.models.chat;

import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.hub.ModelFiles;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Truncation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Converts conversations to token ids. The template writes every special token itself, so the tokenizer adds none.
 *
 * <pre>{@code
 * Chat chat = Chat.load(new Hub().fetch("smollm2"), base.tokenizer());
 * Chat.Supervised example = chat.supervised(messages, RenderOptions.DEFAULT, Truncation.to(1024));
 * }</pre>
 */
public record Chat(ChatTemplate template, Tokenizer tokenizer) {

    /**
     * The chat template that came with a model.
     *
     * @param files a Hugging Face folder, a GGUF file, or a folder with one
     * @throws InputException if it has none
     */
    public static Chat load(Path files, Tokenizer tokenizer) {
        ModelFiles found = ModelFiles.find(files);
        if (found instanceof ModelFiles.Gguf gguf) {
            try (Gguf file = Gguf.open(gguf.file())) {
                return new Chat(ChatTemplate.of(file, tokenizer.specialTokens()), tokenizer);
            }
        }
        if (found instanceof ModelFiles.HuggingFaceFolder folder) {
            return new Chat(ChatTemplate.load(folder.folder(), tokenizer.specialTokens()), tokenizer);
        }
        throw new InputException(files + " has no chat template: an ONNX file is an encoder, which doesn't chat");
    }

    /**
     * A conversation for training.
     *
     * @param text the rendered conversation
     * @param encoding its tokens
     * @param assistant true for each token that the assistant writes: its answers, and the token that ends each answer, but not the headers
     *     before them
     */
    @SuppressWarnings("ArrayRecordComponent") // read-only by contract, as in Encoding
    public record Supervised(String text, Encoding encoding, boolean[] assistant) {}

    /** Returns the conversation and the header of an answer, which the model continues. */
    public Encoding prompt(List<Message> messages) {
        return prompt(messages, RenderOptions.PROMPT);
    }

    /** @throws InputException if the template rejects the conversation */
    public Encoding prompt(List<Message> messages, RenderOptions options) {
        return prompt(messages, options, "");
    }

    /**
     * Returns the prompt followed by the beginning of an answer.
     *
     * @param begun the beginning of the answer. It is encoded together with the text before it, as in training; alone, its tokens could differ.
     */
    public Encoding prompt(List<Message> messages, RenderOptions options, String begun) {
        String text =
                template.render(messages, options.withGenerationPrompt(true)).text();
        return encode(text + begun, null);
    }

    /**
     * Checks that the text of a conversation contains each tool and each call. A template without support for tools omits them, and the model
     * would not see them.
     *
     * @throws InputException if the template omits one
     */
    public void requireTools(List<Message> messages, RenderOptions options) {
        String name = new ToolMarks(messages, options).leftOut(template);
        if (name != null) {
            throw new InputException(template.source() + ": the chat template leaves out tools and their calls: "
                    + InputException.quote(name)
                    + " is not in the text that it makes of the conversation; take a base whose template has tools, or"
                    + " leave tools and tool_calls out");
        }
    }

    /**
     * Encodes the whole conversation and marks the tokens that the assistant writes. The {@code {% generation %}} blocks of the template mark
     * them, if it has any. Otherwise, the conversation is rendered up to each answer, without and with it, and the difference is the answer.
     *
     * @param truncation null for no truncation
     * @throws InputException if answers cannot be located because later messages change how the template renders earlier ones, or if it omits
     *     tools or their calls
     */
    public Supervised supervised(List<Message> messages, RenderOptions options, @Nullable Truncation truncation) {
        RenderOptions whole = options.withGenerationPrompt(false);
        ChatTemplate.Rendered rendered = template.render(messages, whole);
        requireTools(messages, whole);
        List<int[]> spans =
                rendered.generated().isEmpty() ? spans(messages, whole, rendered.text()) : rendered.generated();
        Encoding encoding = encode(rendered.text(), truncation);
        return new Supervised(
                rendered.text(),
                encoding,
                mask(encoding, spans, rendered.generated().isEmpty()));
    }

    private Encoding encode(String text, @Nullable Truncation truncation) {
        EncodeOptions options = EncodeOptions.DEFAULT.withAddSpecialTokens(false);
        Encoding encoding = tokenizer.encode(text, truncation == null ? options : options.withTruncation(truncation));
        OptionalInt bos = tokenizer.specialTokens().id(SpecialTokens.TokenRole.BOS);
        if (bos.isPresent()
                && encoding.length() > 1
                && encoding.ids()[0] == bos.getAsInt()
                && encoding.ids()[1] == bos.getAsInt()) {
            throw new InputException(template.source() + ": the conversation begins with two "
                    + tokenizer.token(bos.getAsInt()) + "; the template writes one, so a message must not");
        }
        return encoding;
    }

    private List<int[]> spans(List<Message> messages, RenderOptions options, String whole) {
        List<int[]> spans = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            if (!messages.get(i).role().equals("assistant")) {
                continue;
            }
            String before =
                    i == 0 && spans.isEmpty() ? header(options) : before(messages.subList(0, i), options, whole, i);
            String after = template.render(messages.subList(0, i + 1), options).text();
            requirePrefix(whole, after, i, "with the message");
            requirePrefix(after, before, i, "before the message");
            spans.add(new int[] {before.codePointCount(0, before.length()), after.codePointCount(0, after.length())});
        }
        return spans;
    }

    /** Returns the header that the template writes for an answer of the assistant. */
    private String header(RenderOptions options) {
        return template.renderAny(List.of(), options.withGenerationPrompt(true)).text();
    }

    /** Returns the text before an answer, with the header that prompts the model to answer if the template has one. */
    private String before(List<Message> messages, RenderOptions options, String whole, int index) {
        String prompt =
                template.render(messages, options.withGenerationPrompt(true)).text();
        if (whole.startsWith(prompt)) {
            return prompt;
        }
        String plain = template.render(messages, options).text();
        String common = commonPrefix(whole, prompt);
        // Some templates open the answer with more than the finished conversation shows, such as an empty <think>
        // block.
        if (whole.startsWith(plain) && common.length() > plain.length() && endsLine(common)) {
            return common;
        }
        requirePrefix(whole, prompt, index, "before the message");
        return prompt;
    }

    private static boolean endsLine(String text) {
        return text.endsWith("\n") || text.endsWith(">");
    }

    private static String commonPrefix(String a, String b) {
        int n = 0;
        while (n < a.length() && n < b.length() && a.charAt(n) == b.charAt(n)) {
            n++;
        }
        return a.substring(0, n);
    }

    private void requirePrefix(String whole, String part, int index, String what) {
        if (!whole.startsWith(part)) {
            int at = commonPrefix(whole, part).length();
            throw new InputException(template.source() + ": the answer in message " + (index + 1)
                    + " cannot be told from the rest, since the conversation rendered up to there (" + what
                    + ") is not how the longer one begins: \"" + excerpt(part, at) + "\" against \""
                    + excerpt(whole, at)
                    + "\". Use a template with {% generation %} blocks, or one conversation for each answer");
        }
    }

    private static String excerpt(String text, int at) {
        return text.substring(Math.max(0, at - 20), Math.min(text.length(), at + 20))
                .replace("\n", "\\n");
    }

    private boolean[] mask(Encoding encoding, List<int[]> spans, boolean fromPrefixes) {
        boolean[] mask = new boolean[encoding.length()];
        for (int[] span : spans) {
            int last = -1;
            for (int i = 0; i < mask.length; i++) {
                if (encoding.starts()[i] < span[1] && encoding.ends()[i] > span[0]) {
                    mask[i] = true;
                    last = i;
                }
            }
            // The line feed after the token that ends an answer belongs to the template: no model gets to write it.
            if (fromPrefixes
                    && last > 0
                    && tokenizer.isSpecial(encoding.ids()[last - 1])
                    && tokenizer.decode(new int[] {encoding.ids()[last]}, false).isBlank()) {
                mask[last] = false;
            }
        }
        return mask;
    }
}
