package dev.graft.models.tokenizers;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.graft.formats.InputException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer that normalises, splits and runs the model in the Rust library. The native tokenizer never changes after
 * its creation. This class truncates, adds special tokens and pads.
 */
final class NativeTokenizer implements Tokenizer {

    private static final Cleaner CLEANER = Cleaner.create();

    private final TokenizerDefinition definition;
    private final long handle;
    private final Set<Integer> specialIds;

    NativeTokenizer(TokenizerDefinition definition) {
        this.definition = definition;
        TokenizersLibrary library = NativeLibrary.LIBRARY;
        long created;
        try {
            created = library.createTokenizerFromString(definition.nativeJson());
        } catch (RuntimeException e) {
            throw TokenizerDefinition.refused(definition.source(), e);
        }
        handle = created;
        CLEANER.register(this, () -> library.deleteTokenizer(created));
        specialIds = definition.added().stream()
                .filter(AddedToken::special)
                .map(AddedToken::id)
                .collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public String source() {
        return definition.source();
    }

    @Override
    public Encoding encode(String text, EncodeOptions options) {
        return encodeAll(List.of(text), options).get(0);
    }

    @Override
    public Encoding encode(TextPair pair, EncodeOptions options) {
        return encodePairs(List.of(pair), options).get(0);
    }

    @Override
    public List<Encoding> encodeAll(List<String> texts, EncodeOptions options) {
        List<Encoding> encodings = new ArrayList<>(texts.size());
        for (TokenizedText tokens : tokens(texts)) {
            encodings.add(cut(List.of(tokens), options));
        }
        return padded(encodings, options.padding());
    }

    @Override
    public List<Encoding> encodePairs(List<TextPair> pairs, EncodeOptions options) {
        List<String> texts = new ArrayList<>(2 * pairs.size());
        for (TextPair pair : pairs) {
            texts.add(pair.first());
            texts.add(pair.second());
        }
        List<TokenizedText> tokens = tokens(texts);
        List<Encoding> encodings = new ArrayList<>(pairs.size());
        for (int i = 0; i < tokens.size(); i += 2) {
            boolean single = pairs.get(i / 2).second().isEmpty();
            encodings.add(cut(tokens.subList(i, single ? i + 1 : i + 2), options));
        }
        return padded(encodings, options.padding());
    }

    @Override
    public List<Encoding> windows(String text, EncodeOptions options) {
        return windows(tokens(List.of(text)), options);
    }

    @Override
    public List<Encoding> windows(TextPair pair, EncodeOptions options) {
        return pair.second().isEmpty()
                ? windows(pair.first(), options)
                : windows(tokens(List.of(pair.first(), pair.second())), options);
    }

    private Encoding cut(List<TokenizedText> texts, EncodeOptions options) {
        Truncation truncation = options.truncation();
        if (truncation == null) {
            return finish(texts, options);
        }
        int room = room(truncation, texts.size() == 2, options);
        if (room < 0) {
            return finish(texts, options); // what the reference library does: see Truncation.maxLength
        }
        int[] lengths = lengths(texts, truncation, room);
        List<TokenizedText> kept = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            TokenizedText text = texts.get(i);
            kept.add(
                    side(truncation) == Side.RIGHT
                            ? text.slice(0, lengths[i])
                            : text.slice(text.length() - lengths[i], text.length()));
        }
        return finish(kept, options);
    }

    private List<Encoding> windows(List<TokenizedText> texts, EncodeOptions options) {
        Truncation truncation = options.truncation();
        if (truncation == null) {
            throw new InputException("windows need a truncation with the length of a window; none is set");
        }
        int room = room(truncation, texts.size() == 2, options);
        if (room <= truncation.stride()) {
            throw new InputException(
                    "a window of " + truncation.maxLength() + " tokens has room for " + Math.max(room, 0)
                            + " of the text, which leaves nothing new with a stride of " + truncation.stride()
                            + "; make the window longer or the stride shorter");
        }
        List<List<TokenizedText>> windows = split(texts, truncation, room);
        List<Encoding> encodings = new ArrayList<>();
        if (windows.size() == 1) {
            windows.get(0).forEach(part -> encodings.add(finish(List.of(part), options)));
            return padded(encodings, options.padding());
        }
        List<TokenizedText> firsts = windows.get(0);
        List<TokenizedText> seconds = windows.get(1);
        encodings.add(finish(List.of(firsts.get(0), seconds.get(0)), options));
        for (TokenizedText first : firsts.subList(1, firsts.size())) {
            seconds.forEach(second -> encodings.add(finish(List.of(first, second), options)));
        }
        for (TokenizedText second : seconds.subList(1, seconds.size())) {
            encodings.add(finish(List.of(firsts.get(0), second), options));
        }
        return padded(encodings, options.padding());
    }

    private int room(Truncation truncation, boolean pair, EncodeOptions options) {
        int added = options.addSpecialTokens()
                ? definition.postProcessor().added(pair).size()
                : 0;
        return truncation.maxLength() - added;
    }

    private static int[] lengths(List<TokenizedText> texts, Truncation truncation, int room) {
        return Truncator.lengths(
                truncation,
                room,
                texts.get(0).length(),
                texts.size() == 2 ? texts.get(1).length() : -1);
    }

    private Side side(Truncation truncation) {
        return truncation.side() == null ? definition.truncationSide() : truncation.side();
    }

    /** Splits each text into its windows. */
    private List<List<TokenizedText>> split(List<TokenizedText> texts, Truncation truncation, int room) {
        int[] lengths = lengths(texts, truncation, room);
        List<List<TokenizedText>> windows = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            if (truncation.stride() >= lengths[i] && lengths[i] < texts.get(i).length()) {
                throw new InputException("text " + (i + 1) + " gets " + lengths[i]
                        + " tokens of a window, which leaves nothing new with a stride of " + truncation.stride()
                        + "; make the window longer or the stride shorter");
            }
            windows.add(Truncator.windows(texts.get(i), lengths[i], truncation.stride(), side(truncation)));
        }
        return windows;
    }

    private Encoding finish(List<TokenizedText> texts, EncodeOptions options) {
        return definition.postProcessor().apply(texts, options.addSpecialTokens());
    }

    private List<Encoding> padded(List<Encoding> encodings, @Nullable Padding padding) {
        if (padding == null) {
            return List.copyOf(encodings);
        }
        int length = padding.length();
        if (length == 0) {
            length = encodings.stream().mapToInt(Encoding::length).max().orElse(0);
        }
        int multiple = padding.multipleOf();
        int rounded = (int) Math.min(Integer.MAX_VALUE, (length + multiple - 1L) / multiple * multiple);
        Side side = padding.side() == null ? definition.paddingSide() : padding.side();
        SpecialTokens.SpecialToken pad = definition.specialTokens().require(SpecialTokens.TokenRole.PAD);
        return encodings.stream()
                .map(e -> TokenizedText.pad(e, rounded, side, pad, definition.padType()))
                .toList();
    }

    private List<TokenizedText> tokens(List<String> texts) {
        texts.forEach(NativeTokenizer::requireUnicode);
        TokenizersLibrary library = NativeLibrary.LIBRARY;
        List<TokenizedText> all = new ArrayList<>(texts.size());
        try {
            if (texts.size() == 1) {
                all.add(take(library, library.encode(handle, texts.get(0), false)));
            } else if (!texts.isEmpty()) {
                for (long encoding : library.batchEncode(handle, texts.toArray(String[]::new), false)) {
                    all.add(take(library, encoding));
                }
            }
        } catch (RuntimeException e) {
            throw new InputException(source() + ": the tokenizers library cannot encode: " + e.getMessage(), e);
        } finally {
            Reference.reachabilityFence(this); // the cleaner must not free the handle during the call
        }
        return all;
    }

    private TokenizedText take(TokenizersLibrary library, long encoding) {
        try {
            int[] ids = ints(library.getTokenIds(encoding));
            int[] words = ints(library.getWordIds(encoding));
            CharSpan[] spans = library.getTokenCharSpans(encoding);
            int[] starts = new int[ids.length];
            int[] ends = new int[ids.length];
            String[] texts = new String[ids.length];
            for (int i = 0; i < ids.length; i++) {
                CharSpan span = spans[i];
                if (span != null) {
                    starts[i] = span.getStart();
                    ends[i] = span.getEnd();
                }
                String text = definition.vocabulary().token(ids[i]);
                if (text == null) {
                    throw new IllegalStateException("it gave id " + ids[i] + ", which no token has");
                }
                texts[i] = text;
            }
            return new TokenizedText(ids, Arrays.asList(texts), starts, ends, words);
        } finally {
            library.deleteEncoding(encoding);
        }
    }

    private static int[] ints(long[] values) {
        int[] ints = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            ints[i] = (int) values[i];
        }
        return ints;
    }

    private static void requireUnicode(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!Character.isSurrogate(text.charAt(i))) {
                continue;
            }
            if (Character.isHighSurrogate(text.charAt(i))
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else {
                throw new InputException(
                        "text has half a surrogate pair (\\u" + Integer.toHexString(text.charAt(i)) + ") at index " + i
                                + ", which is not a character; the text was cut in the middle of one: \""
                                + text.substring(Math.max(0, i - 20), i) + "\"");
            }
        }
    }

    @Override
    public String decode(int[] ids, boolean skipSpecialTokens) {
        long[] longs = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0) {
                throw new IllegalArgumentException(
                        "id " + ids[i] + " at index " + i + " is negative; labels that are ignored have no text");
            }
            longs[i] = ids[i];
        }
        try {
            String text = NativeLibrary.LIBRARY.decode(handle, longs, skipSpecialTokens);
            return definition.cleanUp() ? SpaceCleaning.clean(text) : text;
        } catch (RuntimeException e) {
            throw new InputException(source() + ": the tokenizers library cannot decode: " + e.getMessage(), e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public boolean cleansUpSpaces() {
        return definition.cleanUp();
    }

    @Override
    public OptionalInt tokenId(String token) {
        Integer id = definition.vocabulary().id(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    @Override
    public @Nullable String token(int id) {
        return definition.vocabulary().token(id);
    }

    @Override
    public int vocabSize() {
        return definition.vocabulary().size();
    }

    @Override
    public int idLimit() {
        return definition.vocabulary().limit();
    }

    @Override
    public SpecialTokens specialTokens() {
        return definition.specialTokens();
    }

    @Override
    public boolean isSpecial(int id) {
        return specialIds.contains(id);
    }

    @Override
    public List<SpecialTokens.SpecialToken> addedAround() {
        return definition.postProcessor().added(false);
    }

    @Override
    public OptionalInt modelMaxLength() {
        return definition.modelMaxLength();
    }
}
