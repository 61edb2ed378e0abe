package dev.graft.parity;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Padding;
import dev.graft.models.tokenizers.Side;
import dev.graft.models.tokenizers.TextPair;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.models.tokenizers.Truncation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/** Tokenizers: ids, masks, tokens and offsets of texts and pairs, truncation, windows, padding, decoding; everything exact. */
final class TokensParity implements CaseGroup {
    @Override
    public String name() {
        return "tokens";
    }

    private interface Section {
        void run(CaseCheck check, Tokenizer tokenizer, JsonNode stored);
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        if (!Files.isDirectory(tree.resolve("tokens"))) {
            return;
        }
        try (Stream<Path> folders = Files.list(tree.resolve("tokens"))) {
            folders.filter(folder -> Files.exists(folder.resolve("cases.json")))
                    .sorted()
                    .forEach(folder -> tokenizer(folder, runner));
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + tree + "/tokens", e);
        }
    }

    private static void tokenizer(Path folder, CaseRunner runner) {
        String id = "tokens/" + folder.getFileName() + "/";
        section(
                runner,
                id,
                folder,
                "vocabulary",
                (check, tokenizer, stored) ->
                        check.same("the vocabulary's size", tokenizer.vocabSize(), stored.intValue()));
        section(
                runner,
                id,
                folder,
                "single",
                (check, tokenizer, stored) -> stored.forEach(one -> single(check, tokenizer, one)));
        section(
                runner,
                id,
                folder,
                "pairs",
                (check, tokenizer, stored) -> stored.forEach(one -> pair(check, tokenizer, one)));
        section(
                runner,
                id,
                folder,
                "truncated",
                (check, tokenizer, stored) -> stored.forEach(one -> truncated(check, tokenizer, one)));
        section(runner, id, folder, "windows", TokensParity::windows);
        section(
                runner,
                id,
                folder,
                "padded",
                (check, tokenizer, stored) -> stored.forEach(one -> padded(check, tokenizer, one)));
        section(
                runner,
                id,
                folder,
                "decode",
                (check, tokenizer, stored) -> stored.forEach(one -> decoded(check, tokenizer, one)));
    }

    private static void section(CaseRunner runner, String id, Path folder, String name, Section section) {
        runner.run(id + name, check -> {
            JsonNode stored = Json.read(folder.resolve("cases.json")).get(name);
            if (stored == null) {
                throw new NotCoveredException("cases.json has no " + name);
            }
            section.run(check, Tokenizers.load(folder), stored);
        });
    }

    private static void single(CaseCheck check, Tokenizer tokenizer, JsonNode one) {
        String text = one.path("text").stringValue();
        String what = " of " + shown(text);
        Encoding encoding = tokenizer.encode(text, EncodeOptions.DEFAULT);
        ids(check, "ids" + what, encoding.ids(), one.path("ids"));
        ids(check, "mask" + what, encoding.attentionMask(), one.path("attention_mask"));
        check.same("tokens" + what, encoding.tokens(), strings(one.path("tokens")));
        ids(check, "special tokens" + what, encoding.specialTokensMask(), one.path("special_tokens_mask"));
        check.same("offsets" + what, offsets(encoding), nested(one.path("offsets_in_code_points")));
        if (one.has("token_type_ids")) {
            ids(check, "types" + what, encoding.typeIds(), one.path("token_type_ids"));
        }
        EncodeOptions bare = EncodeOptions.DEFAULT.withAddSpecialTokens(false);
        ids(check, "bare ids" + what, tokenizer.encode(text, bare).ids(), one.path("ids_without_special"));
        int[] ids = ints(one.path("ids"));
        check.same(
                "decoded" + what,
                tokenizer.decode(ids, false),
                one.path("decoded").stringValue());
        check.same(
                "decoded without special tokens" + what,
                tokenizer.decode(ids, true),
                one.path("decoded_skip_special").stringValue());
    }

    private static void pair(CaseCheck check, Tokenizer tokenizer, JsonNode one) {
        TextPair pair = new TextPair(one.path("a").stringValue(), one.path("b").stringValue());
        String what = " of " + shown(pair.first()) + " and " + shown(pair.second());
        whole(check, what, tokenizer.encode(pair, EncodeOptions.DEFAULT), one);
        for (Truncation.Strategy strategy : Truncation.Strategy.values()) {
            String prefix = strategy.name().toLowerCase(Locale.ROOT) + "_";
            for (String name : one.propertyNames()) {
                if (name.startsWith(prefix)) {
                    int length = Integer.parseInt(name.substring(prefix.length()));
                    cut(
                            check,
                            tokenizer,
                            pair,
                            Truncation.to(length).withStrategy(strategy),
                            name + what,
                            one.path(name));
                }
            }
        }
    }

    private static void cut(
            CaseCheck check,
            Tokenizer tokenizer,
            TextPair pair,
            Truncation truncation,
            String what,
            JsonNode expected) {
        EncodeOptions options = EncodeOptions.DEFAULT.withTruncation(truncation);
        if (!expected.has("error")) {
            whole(check, " " + what, tokenizer.encode(pair, options), expected);
            return;
        }
        try {
            tokenizer.encode(pair, options);
            check.that(false, what + " is refused by the reference");
        } catch (InputException refused) {
            check.names(refused, truncation.strategy().name(), what);
        }
    }

    private static void whole(CaseCheck check, String what, Encoding encoding, JsonNode expected) {
        ids(check, "ids" + what, encoding.ids(), expected.path("ids"));
        ids(check, "types" + what, encoding.typeIds(), expected.path("token_type_ids"));
    }

    private static void truncated(CaseCheck check, Tokenizer tokenizer, JsonNode one) {
        Truncation truncation = Truncation.to(one.path("max_length").intValue());
        String text = one.path("text").stringValue();
        String what = "ids of " + shown(text) + " cut to " + truncation.maxLength();
        ids(
                check,
                what,
                tokenizer
                        .encode(text, EncodeOptions.DEFAULT.withTruncation(truncation))
                        .ids(),
                one.path("ids"));
        EncodeOptions left = EncodeOptions.DEFAULT.withTruncation(truncation.withSide(Side.LEFT));
        ids(check, what + " on the left", tokenizer.encode(text, left).ids(), one.path("ids_left"));
    }

    private static void windows(CaseCheck check, Tokenizer tokenizer, JsonNode stored) {
        Truncation truncation = Truncation.to(stored.path("max_length").intValue())
                .withStride(stored.path("stride").intValue());
        List<Encoding> windows =
                tokenizer.windows(stored.path("text").stringValue(), EncodeOptions.DEFAULT.withTruncation(truncation));
        check.same("the ids of the windows", ids(windows), nested(stored.path("ids")));
        check.same(
                "the offsets of the windows",
                windows.stream().map(TokensParity::offsets).toList(),
                stored.path("offsets_in_code_points")
                        .valueStream()
                        .map(TokensParity::nested)
                        .toList());
    }

    private static void padded(CaseCheck check, Tokenizer tokenizer, JsonNode one) {
        JsonNode wanted = one.path("options");
        EncodeOptions options = EncodeOptions.DEFAULT;
        Side side = one.path("side").stringValue().equals("left") ? Side.LEFT : Side.RIGHT;
        Padding padding = Padding.LONGEST.at(side);
        if (wanted.has("max_length")) {
            int length = wanted.path("max_length").intValue();
            options = options.withTruncation(length);
            padding = Padding.to(length).at(side);
        }
        if (wanted.has("pad_to_multiple_of")) {
            padding = padding.roundedTo(wanted.path("pad_to_multiple_of").intValue());
        }
        List<Encoding> batch = tokenizer.encodeAll(strings(one.path("texts")), options.withPadding(padding));
        check.same("ids padded by " + wanted, ids(batch), nested(one.path("ids")));
        check.same(
                "masks padded by " + wanted,
                batch.stream().map(encoding -> list(encoding.attentionMask())).toList(),
                nested(one.path("attention_mask")));
    }

    private static void decoded(CaseCheck check, Tokenizer tokenizer, JsonNode one) {
        int[] ids = ints(one.path("ids"));
        String what = "the text of " + Arrays.toString(ids);
        check.same(what, tokenizer.decode(ids, false), one.path("decoded").stringValue());
        check.same(
                what + " without special tokens",
                tokenizer.decode(ids, true),
                one.path("decoded_skip_special").stringValue());
    }

    private static void ids(CaseCheck check, String what, int[] got, JsonNode expected) {
        check.same(what, list(got), list(ints(expected)));
    }

    private static String shown(String text) {
        return "\"" + (text.length() > 40 ? text.substring(0, 40) + "…" : text) + "\"";
    }

    private static List<List<Integer>> offsets(Encoding encoding) {
        List<List<Integer>> offsets = new ArrayList<>();
        for (int i = 0; i < encoding.length(); i++) {
            offsets.add(List.of(encoding.starts()[i], encoding.ends()[i]));
        }
        return offsets;
    }

    private static List<List<Integer>> ids(List<Encoding> encodings) {
        return encodings.stream().map(encoding -> list(encoding.ids())).toList();
    }

    private static List<Integer> list(int[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }

    private static List<String> strings(JsonNode array) {
        return array.valueStream().map(JsonNode::stringValue).toList();
    }

    private static List<List<Integer>> nested(JsonNode arrays) {
        return arrays.valueStream().map(array -> list(ints(array))).toList();
    }
}
