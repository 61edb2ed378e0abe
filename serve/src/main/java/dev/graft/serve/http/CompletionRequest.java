package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.serve.json.Schema;
import dev.graft.serve.json.SchemaReader;
import dev.graft.serve.tools.Tools;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The options of a completion request, all but its prompt. They have OpenAI's names and defaults; {@code top_k}, {@code min_p} and
 * {@code repetition_penalty} are those of other servers.
 *
 * @param maxTokens the maximum of each text; null if unset
 * @param n the number of texts for each prompt
 * @param logprobs as in {@link dev.graft.serve.GenerationRequest}
 * @param includeUsage true if a stream ends with the token usage
 * @param jsonSchema the schema of the JSON objects to write; null for any text
 * @param tools the functions that the model may call; null for none
 */
record CompletionRequest(
        String model,
        @Nullable Integer maxTokens,
        int n,
        boolean stream,
        boolean includeUsage,
        int logprobs,
        @Nullable Schema jsonSchema,
        @Nullable Tools tools,
        double presencePenalty,
        double frequencyPenalty,
        Map<Integer, Double> logitBias,
        GenerateOptions options) {
    private static final int LONGEST_STOP = 256;
    private static final SecureRandom RANDOM = new SecureRandom();

    /**
     * Reads the options of a request.
     *
     * @param template of a chat; null where the request has a prompt, not messages
     * @param vocabulary the number of token ids
     */
    static CompletionRequest read(Fields f, @Nullable ChatTemplate template, Limits limits, int vocabulary) {
        boolean chat = template != null;
        boolean stream = f.bool("stream", false);
        Fields streaming = f.objectOrNull("stream_options");
        boolean usage = streaming != null && Boolean.TRUE.equals(streaming.boolOrNull("include_usage"));
        if (streaming != null) {
            if (!stream) {
                throw f.error("stream_options", "is set, but stream is not");
            }
            streaming.boolOrNull("include_obfuscation");
            streaming.rejectUnread("It is not supported; leave it out");
        }
        Long seed = seed(f);
        GenerateOptions options = GenerateOptions.DEFAULT
                .withTemperature(f.number("temperature", 1, 0, 2))
                .withTopP(positive(f, "top_p", 1, "a number above 0, at most 1"))
                .withTopK(Math.max(0, f.integer("top_k", 0, -1)))
                .withMinP(f.number("min_p", 0, 0, 1))
                .withRepetitionPenalty(positive(f, "repetition_penalty", Double.POSITIVE_INFINITY, "a number above 0"))
                .withSeed(seed == null ? RANDOM.nextLong() : seed)
                .withStop(stop(f, limits).toArray(String[]::new));
        if (f.bool("ignore_eos", false)) {
            options = options.withEndTokens(Set.of());
        }
        Tools tools = template == null ? null : ApiError.forField("tools", () -> Tools.read(f, template));
        CompletionRequest request = new CompletionRequest(
                f.string("model"),
                maxTokens(f, chat, limits),
                f.integer("n", 1, 1, limits.maxTexts()),
                stream,
                usage,
                logprobs(f, chat),
                jsonSchema(f),
                tools,
                f.number("presence_penalty", 0, -2, 2),
                f.number("frequency_penalty", 0, -2, 2),
                logitBias(f, vocabulary),
                options);
        if (request.jsonSchema() != null && tools != null) {
            throw f.error("response_format", "is JSON and there are tools; one of them must go");
        }
        if (request.jsonSchema() != null || (tools != null && tools.isForced())) {
            requireWholeJson(f, options);
        }
        readNeutral(f, chat);
        for (String name : List.of("user", "safety_identifier", "prompt_cache_key")) {
            f.stringOrNull(name);
        }
        Fields metadata = f.objectOrNull("metadata");
        if (metadata != null) {
            metadata.names().forEach(metadata::string);
        }
        return request;
    }

    /** 1 where nothing is said. */
    private static double positive(Fields f, String name, double most, String expected) {
        double number = f.number(name, 1);
        if (number <= 0 || number > most) {
            throw f.invalid(name, expected);
        }
        return number;
    }

    private static @Nullable Long seed(Fields f) {
        JsonNode seed = f.node("seed");
        if (seed == null || seed.isNull()) {
            return null;
        }
        if (!seed.isIntegralNumber() || !seed.canConvertToLong()) {
            throw f.invalid("seed", "a whole number from -2^63 to 2^63 - 1");
        }
        return seed.longValue();
    }

    private static List<String> stop(Fields f, Limits limits) {
        JsonNode stop = f.node("stop");
        List<String> stops = new ArrayList<>();
        if (stop != null && stop.isString()) {
            stops.add(stop.stringValue());
        } else if (stop != null && !stop.isNull()) {
            stops.addAll(f.strings("stop"));
        }
        if (stops.size() > limits.maxStopStrings() || stops.stream().anyMatch(text -> text.length() > LONGEST_STOP)) {
            throw f.error(
                    "stop",
                    "has " + stops.size() + " texts, at most " + limits.maxStopStrings() + " of " + LONGEST_STOP
                            + " characters are allowed");
        }
        if (stops.contains("")) {
            throw f.invalid("stop", "texts of at least one character");
        }
        return stops;
    }

    private static @Nullable Integer maxTokens(Fields f, boolean chat, Limits limits) {
        Integer tokens = f.integerOrNull("max_tokens", 1, limits.maxNewTokens());
        Integer newer = chat ? f.integerOrNull("max_completion_tokens", 1, limits.maxNewTokens()) : null;
        return newer == null ? tokens : newer;
    }

    private static int logprobs(Fields f, boolean chat) {
        if (!chat) {
            Integer count = f.integerOrNull("logprobs", 0, 5);
            return count == null ? -1 : count;
        }
        Integer count = f.integerOrNull("top_logprobs", 0, 20);
        boolean wanted = f.bool("logprobs", false);
        if (count != null && count > 0 && !wanted) {
            throw f.error("top_logprobs", "is " + count + ", but logprobs is not true");
        }
        return wanted ? count == null ? 0 : count : -1;
    }

    private static @Nullable Schema jsonSchema(Fields f) {
        Fields format = f.objectOrNull("response_format");
        if (format == null) {
            return null;
        }
        format.string("type");
        String type = format.choice("type", "text", "text", "json_object", "json_schema");
        Fields described = type.equals("json_schema") ? format.object("json_schema") : null;
        if (described == null) {
            format.rejectUnread("Only a type is supported");
            return type.equals("text") ? null : Schema.ANY;
        }
        described.string("name");
        described.boolOrNull("strict");
        described.ignore("description");
        Schema schema = SchemaReader.read(described.object("schema"));
        format.rejectUnread("It is not supported; leave it out");
        return schema;
    }

    /** A JSON text ends where it is whole, and nowhere else. */
    private static void requireWholeJson(Fields f, GenerateOptions options) {
        if (!options.stop().isEmpty() || options.endTokens() != null) {
            throw f.error(
                    options.stop().isEmpty() ? "ignore_eos" : "stop",
                    "is set, but response_format or tool_choice asks for JSON, which goes neither with stop nor with"
                            + " ignore_eos: a text that is cut is no JSON");
        }
    }

    private static Map<Integer, Double> logitBias(Fields f, int vocabulary) {
        Fields bias = f.objectOrNull("logit_bias");
        Map<Integer, Double> all = new HashMap<>();
        if (bias != null) {
            for (String id : bias.names()) {
                if (!id.matches("0|[1-9][0-9]{0,8}") || Integer.parseInt(id) >= vocabulary) {
                    throw bias.invalid(id, "a token id below " + vocabulary + " as key");
                }
                all.put(Integer.valueOf(id), bias.number(id, 0, -100, 100));
            }
            if (all.size() > 1024) {
                throw f.error("logit_bias", "has " + all.size() + " tokens, at most 1024 are allowed");
            }
        }
        return all;
    }

    /** Fields that are understood only where they ask for nothing. */
    private static void readNeutral(Fields f, boolean chat) {
        if (chat) {
            JsonNode functions = f.node("functions");
            if (functions != null && !functions.isNull()) {
                throw f.error("functions", "is not supported; use tools");
            }
        } else {
            f.integer("best_of", 1, 1, 1);
            String suffix = f.stringOrNull("suffix");
            if (suffix != null && !suffix.isEmpty()) {
                throw f.error("suffix", "is not supported; leave it out");
            }
        }
        if (f.bool("store", false)) {
            throw f.error("store", "is true, but nothing is stored");
        }
        f.choice("service_tier", "auto", "auto", "default");
    }
}
