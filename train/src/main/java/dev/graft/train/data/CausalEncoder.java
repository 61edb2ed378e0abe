package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.chat.MissingTemplateException;
import dev.graft.models.chat.RenderOptions;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Encodes conversations, instructions, prompts with completions, texts, or token ids for a causal language model.
 *
 * <p>A conversation is rendered by the model's chat template, with the special tokens of the template and no others. An answer is learnt
 * with the token that ends it.
 *
 * <p>A prompt and its completion are concatenated without the template, also for a model that has one. The tokenizer adds its tokens before
 * the text (such as {@code <s>}). The end token follows the completion, so that the model learns to stop, unless the completion already
 * ends with it. The prompt is tokenised alone, exactly as the model will see it in inference. A text is all completion.
 *
 * <p>An instruction is a conversation of two turns if the model has a chat template. Otherwise it is Alpaca's prompt with the completion.
 *
 * <pre>{@code
 * Chat chat = new Chat(ChatTemplate.load(folder, tokenizer.specialTokens()), tokenizer);
 * RowEncoder encoder = new CausalEncoder(tokenizer, chat, LossOn.COMPLETION, base.backbone().vocabSize());
 * }</pre>
 */
public final class CausalEncoder implements RowEncoder {
    private static final EncodeOptions PLAIN = EncodeOptions.DEFAULT.withAddSpecialTokens(false);

    private final @Nullable Tokenizer tokenizer;
    private final Supplier<Chat> chat;
    private final LossOn lossOn;
    private final int vocabSize;

    /**
     * @param tokenizer null if all rows are token ids
     * @param chat null if no row is a conversation
     * @param lossOn the tokens that the loss counts
     * @param vocabSize the number of embedding rows of the model
     */
    public CausalEncoder(@Nullable Tokenizer tokenizer, @Nullable Chat chat, LossOn lossOn, int vocabSize) {
        this(
                tokenizer,
                () -> {
                    if (chat == null) {
                        throw new MissingTemplateException("the model has no chat template");
                    }
                    return chat;
                },
                lossOn,
                vocabSize);
    }

    /**
     * Creates an encoder that loads the template only if a row needs one.
     *
     * @param tokenizer null if all rows are token ids
     * @param chat called once, for the first row that is a conversation or an instruction
     * @param lossOn the tokens that the loss counts
     * @param vocabSize the number of embedding rows of the model
     */
    public static CausalEncoder forPrompts(
            @Nullable Tokenizer tokenizer, Supplier<Chat> chat, LossOn lossOn, int vocabSize) {
        return new CausalEncoder(tokenizer, chat, lossOn, vocabSize);
    }

    private CausalEncoder(@Nullable Tokenizer tokenizer, Supplier<Chat> chat, LossOn lossOn, int vocabSize) {
        this.tokenizer = tokenizer;
        this.chat = new MemoizedSupplier<>(chat);
        this.lossOn = lossOn;
        this.vocabSize = vocabSize;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Tokens tokens) {
            requireIds(tokens.ids(), vocabSize, place);
            return example(index, tokens.ids(), tokens.labels(), maxLength);
        }
        if (row instanceof Row.Completion completion && tokenizer != null) {
            return completion(index, completion, tokenizer, place, maxLength);
        }
        if (row instanceof Row.Text text && text.label() == null && text.pair() == null && tokenizer != null) {
            return completion(index, new Row.Completion("", text.text()), tokenizer, place, maxLength);
        }
        if (row instanceof Row.Instruction instruction && tokenizer != null) {
            return instruction(index, instruction, tokenizer, place, maxLength);
        }
        if (row instanceof Row.Chat conversation) {
            return conversation(index, conversation, template(place), place, maxLength);
        }
        throw RowEncoder.unsupported(
                row,
                place,
                "fine-tuning a causal model",
                RowShape.CHAT,
                RowShape.INSTRUCTION,
                RowShape.PROMPT_COMPLETION,
                RowShape.TEXT,
                RowShape.TOKENS);
    }

    private Chat template(String place) {
        try {
            return chat.get();
        } catch (MissingTemplateException e) {
            throw new InputException(
                    place + ": the row is a conversation, but " + e.getMessage() + "; use a model that has one, or rows"
                            + " such as " + RowShape.PROMPT_COMPLETION.sample(),
                    e);
        }
    }

    private Example instruction(int index, Row.Instruction row, Tokenizer tokenizer, String place, int maxLength) {
        try {
            return conversation(index, row.conversation(), chat.get(), place, maxLength);
        } catch (MissingTemplateException none) {
            return completion(index, row.completion(), tokenizer, place, maxLength);
        }
    }

    private Example completion(int index, Row.Completion row, Tokenizer tokenizer, String place, int maxLength) {
        int[] prompt =
                concat(before(tokenizer), tokenizer.encode(row.prompt(), PLAIN).ids());
        int[] whole = concat(
                before(tokenizer),
                tokenizer.encode(row.prompt() + row.completion(), PLAIN).ids());
        boolean continues =
                whole.length >= prompt.length && Arrays.equals(whole, 0, prompt.length, prompt, 0, prompt.length);
        int[] text = continues
                ? whole
                : concat(prompt, tokenizer.encode(row.completion(), PLAIN).ids());
        int end = tokenizer.specialTokens().require(SpecialTokens.TokenRole.EOS).id();
        int[] ids = isEnded(text, prompt.length, end, tokenizer) ? text : concat(text, end);
        OptionalInt bos = tokenizer.specialTokens().id(SpecialTokens.TokenRole.BOS);
        if (bos.isPresent() && ids.length > 2 && ids[0] == bos.getAsInt() && ids[1] == bos.getAsInt()) {
            throw new InputException(place + ": the text begins with " + tokenizer.token(bos.getAsInt())
                    + ", which the tokenizer puts before every text; remove it from the rows");
        }
        int[] labels = ids.clone();
        if (lossOn != LossOn.ALL) {
            Arrays.fill(labels, 0, prompt.length, Target.NONE);
        }
        return example(index, ids, labels, maxLength);
    }

    private Example conversation(int index, Row.Chat row, Chat chat, String place, int maxLength) {
        Chat.Supervised supervised;
        try {
            List<?> tools = row.tools().isEmpty() ? null : row.tools();
            supervised = chat.supervised(row.messages(), RenderOptions.DEFAULT.withTools(tools), null);
        } catch (InputException e) {
            throw new InputException(place + ": " + e.getMessage(), e);
        }
        int[] ids = supervised.encoding().ids();
        int[] labels = ids.clone();
        if (lossOn != LossOn.ALL) {
            boolean[] learned = supervised.assistant();
            int from = lossOn == LossOn.COMPLETION ? lastAnswer(learned) : 0;
            for (int i = 0; i < labels.length; i++) {
                labels[i] = i >= from && learned[i] ? ids[i] : Target.NONE;
            }
        }
        Example whole = example(index, ids, labels, Integer.MAX_VALUE);
        if (whole.target().lossTerms() == 0) {
            throw new InputException(
                    place + ": the chat template " + chat.template().source()
                            + " writes nothing of the assistant's messages, so there is nothing to learn");
        }
        return example(index, ids, labels, maxLength);
    }

    /** Returns the beginning of the last stretch of tokens that the assistant writes. */
    private static int lastAnswer(boolean[] learned) {
        int i = learned.length - 1;
        while (i >= 0 && !learned[i]) {
            i--;
        }
        while (i > 0 && learned[i - 1]) {
            i--;
        }
        return Math.max(i, 0);
    }

    /**
     * Returns a warning if the template ends answers by a token at which generation doesn't stop: the trained model would then never stop.
     *
     * @param stopIds token ids at which generation stops
     * @return a warning, or null
     */
    public static @Nullable String endWarning(Chat chat, Set<Integer> stopIds) {
        Chat.Supervised row =
                chat.supervised(List.of(Message.user("a"), Message.assistant("b")), RenderOptions.DEFAULT, null);
        int last = row.assistant().length - 1;
        while (last >= 0 && !row.assistant()[last]) {
            last--;
        }
        if (last >= 0 && stopIds.contains(row.encoding().ids()[last])) {
            return null;
        }
        return chat.template().source() + " ends an answer with "
                + (last < 0 ? "nothing" : row.encoding().tokens().get(last))
                + ", at which generation does not stop (it stops at " + stopIds
                + "): add it to eos_token_id of generation_config.json";
    }

    /**
     * Returns a warning if the template has no generation prompt: without the beginning of an answer a served model may continue as the
     * user.
     *
     * @return a warning, or null
     */
    public static @Nullable String promptWarning(Chat chat) {
        List<Message> question = List.of(Message.user("a"));
        String asked = chat.template().render(question, RenderOptions.PROMPT).text();
        String plain = chat.template().render(question, RenderOptions.DEFAULT).text();
        String answered = chat.template()
                .render(List.of(Message.user("a"), Message.assistant("b")), RenderOptions.DEFAULT)
                .text();
        int answer = answered.lastIndexOf('b');
        if (!asked.equals(plain) || !answered.startsWith(plain) || answer < plain.length()) {
            return null;
        }
        // What stands between the question and the answer is what a prompt must end with.
        String header = answered.substring(plain.length(), answer).strip();
        return header.isEmpty()
                ? null
                : chat.template().source()
                        + " ignores add_generation_prompt: a served model is not told to begin with \"" + header
                        + "\", which it learns not to write";
    }

    /** The special tokens that the tokenizer puts before a text. */
    private static int[] before(Tokenizer tokenizer) {
        Encoding encoding = tokenizer.encode("a", EncodeOptions.DEFAULT);
        int count = 0;
        while (count < encoding.length() && encoding.specialTokensMask()[count] == 1) {
            count++;
        }
        return Arrays.copyOf(encoding.ids(), count);
    }

    /** Returns whether an answer has its end token already, with nothing but white space behind it. */
    private static boolean isEnded(int[] ids, int from, int end, Tokenizer tokenizer) {
        int last = ids.length - 1;
        while (last >= from && ids[last] != end) {
            last--;
        }
        return last >= from
                && tokenizer
                        .decode(Arrays.copyOfRange(ids, last + 1, ids.length), false)
                        .isBlank();
    }

    private static Example example(int index, int[] ids, int[] labels, int maxLength) {
        boolean cut = ids.length > maxLength;
        return new Example(
                index,
                cut ? Arrays.copyOf(ids, maxLength) : ids,
                null,
                new Target.Tokens(cut ? Arrays.copyOf(labels, maxLength) : labels));
    }

    private static int[] concat(int[] first, int... second) {
        return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    }

    static void requireIds(int[] ids, int vocabSize, String place) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] >= vocabSize) {
                throw new InputException(place + ": input_ids[" + i + "] is " + ids[i] + ", but the model has "
                        + vocabSize + " embedding rows; the ids are of another tokenizer");
            }
        }
    }
}
