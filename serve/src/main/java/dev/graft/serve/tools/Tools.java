package dev.graft.serve.tools;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.chat.Message;
import dev.graft.models.chat.RenderOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.serve.json.Schema;
import dev.graft.serve.json.SchemaReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The functions that a model may or must call.
 *
 * @param definitions the definitions for the chat template
 * @param names the names of the functions
 * @param format the model's format of a call
 * @param forcedCalls the schemas of the calls, one of which the whole text must be; empty if the model chooses
 * @param parallel true if a text may have more than one call
 */
public record Tools(
        List<JsonNode> definitions, List<String> names, CallFormat format, List<Schema> forcedCalls, boolean parallel) {
    private static final int MAX_TOOLS = 128;

    /** The format in which a model writes calls. */
    public enum CallFormat {
        /** {@code <tool_call>{"name": …, "arguments": {…}}</tool_call>}, as Qwen and Hermes do. */
        TAGGED("<tool_call>", "arguments"),
        /** {@code {"name": …, "parameters": {…}}}, as Llama 3.1 does. */
        BARE("", "parameters");

        final String tag;
        final String arguments;

        CallFormat(String tag, String arguments) {
            this.tag = tag;
            this.arguments = arguments;
        }

        /**
         * Returns the format that a chat template requests.
         *
         * @throws InputException if the template has no tools or an unknown format
         */
        public static CallFormat of(ChatTemplate template) {
            String text = template.toolText();
            if (text == null) {
                throw new InputException("the request: tools are set, but the chat template of this base has none");
            }
            for (CallFormat format : values()) {
                boolean tagged = text.contains(TAGGED.tag) == (format == TAGGED);
                if (tagged && hasKey(text, "name") && hasKey(text, format.arguments)) {
                    return format;
                }
            }
            throw new InputException("the request: tools are set, but the chat template of this base has calls written"
                    + " neither as <tool_call>{\"name\": …, \"arguments\": …}</tool_call> nor as"
                    + " {\"name\": …, \"parameters\": …}, which is all that is supported");
        }

        private static boolean hasKey(String text, String key) {
            return Pattern.compile("\"" + key + "\\\\?\"").matcher(text).find();
        }
    }

    /**
     * A tool call.
     *
     * @param id identifies its result
     * @param arguments the JSON object as the model wrote it, possibly truncated or malformed
     */
    public record ToolCall(String id, String name, String arguments) {
        static ToolCall of(String name, String arguments) {
            String id = "call_" + UUID.randomUUID().toString().replace("-", "").substring(0, 24);
            return new ToolCall(id, name, arguments);
        }

        /** Returns the call in OpenAI's form. */
        public ObjectNode json() {
            ObjectNode call = JsonNodeFactory.instance.objectNode();
            call.put("id", id);
            call.put("type", "function");
            call.putObject("function").put("name", name).put("arguments", arguments);
            return call;
        }
    }

    /**
     * Reads {@code tools}, {@code tool_choice} and {@code parallel_tool_calls} of a request. Returns null if there are no tools or none may be
     * called.
     *
     * @throws InputException if they don't follow OpenAI's format, or the template shows the model no tools
     */
    public static @Nullable Tools read(Fields f, ChatTemplate template) {
        List<JsonNode> all = f.listOrNull("tools");
        boolean several = f.bool("parallel_tool_calls", true);
        JsonNode choice = f.node("tool_choice");
        String word = choice == null || choice.isNull() ? "auto" : choice.isString() ? choice.stringValue() : "";
        if (all == null || all.isEmpty()) {
            if (choice != null && !choice.isNull() && !word.equals("none")) {
                throw f.error("tool_choice", "is set, but there are no tools");
            }
            return null;
        }
        if (all.size() > MAX_TOOLS) {
            throw f.error("tools", "has " + all.size() + " functions, at most " + MAX_TOOLS + " are allowed");
        }
        Map<String, @Nullable Fields> parameters = new LinkedHashMap<>();
        for (int i = 0; i < all.size(); i++) {
            Fields tool = f.nested("tools[" + i + "]", all.get(i));
            tool.choice("type", "function", "function");
            Fields function = tool.object("function");
            function.ignore("description");
            function.boolOrNull("strict");
            JsonNode schema = function.node("parameters");
            parameters.put(
                    function.string("name"),
                    schema == null || schema.isNull() ? null : function.nested("parameters", schema));
            function.rejectUnread("It is not supported; leave it out");
            tool.rejectUnread("It is not supported; leave it out");
        }
        List<String> names = List.copyOf(parameters.keySet());
        if (names.size() < all.size()) {
            throw f.error("tools", "has two functions of one name");
        }
        return switch (word) {
            case "none" -> null;
            case "auto" -> new Tools(all, names, CallFormat.of(template), List.of(), several);
            case "required" -> forcedCalls(all, names, names, parameters, template);
            case "" -> forcedCalls(all, names, List.of(chosen(f, names)), parameters, template);
            default -> throw f.invalid("tool_choice", "none, auto, required or a function");
        };
    }

    private static String chosen(Fields f, List<String> names) {
        Fields choice = f.object("tool_choice");
        choice.choice("type", "function", "function");
        Fields function = choice.object("function");
        String name = function.string("name");
        function.rejectUnread("It is not supported; leave it out");
        choice.rejectUnread("It is not supported; leave it out");
        if (!names.contains(name)) {
            throw choice.error("function.name", "is " + InputException.quote(name) + ", which is none of the tools");
        }
        return name;
    }

    private static Tools forcedCalls(
            List<JsonNode> all,
            List<String> names,
            List<String> wanted,
            Map<String, @Nullable Fields> parameters,
            ChatTemplate template) {
        CallFormat format = CallFormat.of(template);
        List<Schema> forced = new ArrayList<>();
        for (String name : wanted) {
            forced.add(SchemaReader.call(name, format.arguments, parameters.get(name)));
        }
        return new Tools(all, names, format, forced, false);
    }

    /**
     * Returns the prompt of a conversation with these tools; null for none.
     *
     * @throws InputException if the template omits calls of the conversation
     */
    public static Encoding prompt(Chat chat, List<Message> messages, @Nullable Tools tools) {
        if (tools == null) {
            chat.requireTools(messages, RenderOptions.PROMPT);
            return chat.prompt(messages);
        }
        return chat.prompt(messages, RenderOptions.PROMPT.withTools(tools.definitions), tools.callPrefix());
    }

    /** Returns whether the text must be a call. */
    public boolean isForced() {
        return !forcedCalls.isEmpty();
    }

    /** Returns the beginning of a forced call, as the model would write it. */
    public String callPrefix() {
        return isForced() && !format.tag.isEmpty() ? format.tag + "\n" : "";
    }

    /** Parses a text that is a call; null if it is none. */
    @Nullable
    ToolCall parseCall(String text) {
        try {
            JsonNode node = Json.parse("a call", text);
            JsonNode name = node.path("name");
            JsonNode arguments = node.path(node.has("arguments") ? "arguments" : "parameters");
            if (!name.isString() || !names.contains(name.stringValue()) || !arguments.isObject()) {
                return null;
            }
            return ToolCall.of(name.stringValue(), Json.compact(arguments));
        } catch (JacksonException | InputException none) {
            return null;
        }
    }

    /**
     * Replaces the arguments of a message's calls, JSON in a string, by objects, as templates expect them.
     *
     * @throws InputException if they are not JSON, as in a truncated call
     */
    public static void parseArguments(ObjectNode message) {
        if (!(message.get("tool_calls") instanceof ArrayNode calls)) {
            return;
        }
        for (JsonNode call : calls) {
            JsonNode arguments = call.path("function").path("arguments");
            if (arguments.isString() && call.get("function") instanceof ObjectNode function) {
                String text = arguments.stringValue();
                String source = "the request: the arguments of a call of "
                        + function.path("name").asString("a function");
                function.set(
                        "arguments", text.isBlank() ? JsonNodeFactory.instance.objectNode() : Json.parse(source, text));
            }
        }
    }
}
