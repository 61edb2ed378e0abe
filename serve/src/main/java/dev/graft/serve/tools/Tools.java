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
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The functions that a model may call, or must.
 *
 * @param all what the template is given
 * @param names of the functions
 * @param form how the model writes a call
 * @param forced what the whole text is, one of these calls; empty where the model chooses
 * @param several whether a text may have more than one call
 */
public record Tools(List<JsonNode> all, List<String> names, Form form, List<Schema> forced, boolean several) {
    private static final int MOST = 128;

    /** How models write calls. */
    public enum Form {
        /** {@code <tool_call>{"name": …, "arguments": {…}}</tool_call>}, as Qwen and Hermes do. */
        TAGGED("<tool_call>", "arguments"),
        /** {@code {"name": …, "parameters": {…}}}, as Llama 3.1 does. */
        BARE("", "parameters");

        final String tag;
        final String arguments;

        Form(String tag, String arguments) {
            this.tag = tag;
            this.arguments = arguments;
        }

        /**
         * What a template tells the model to write.
         *
         * @throws InputException if it has no tools, or another form
         */
        public static Form of(ChatTemplate template) {
            String text = template.toolText();
            if (text == null) {
                throw new InputException("the request: tools are set, but the chat template of this base has none");
            }
            for (Form form : values()) {
                boolean tagged = text.contains(TAGGED.tag) == (form == TAGGED);
                if (tagged && hasKey(text, "name") && hasKey(text, form.arguments)) {
                    return form;
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
     * A call.
     *
     * @param id by which its result is told apart from others
     * @param arguments a JSON object as the model wrote it, which may be cut or broken
     */
    public record Call(String id, String name, String arguments) {
        static Call of(String name, String arguments) {
            String id = "call_" + UUID.randomUUID().toString().replace("-", "").substring(0, 24);
            return new Call(id, name, arguments);
        }

        /** As OpenAI's answers have it. */
        public ObjectNode json() {
            ObjectNode call = JsonNodeFactory.instance.objectNode();
            call.put("id", id);
            call.put("type", "function");
            call.putObject("function").put("name", name).put("arguments", arguments);
            return call;
        }
    }

    /**
     * What {@code tools}, {@code tool_choice} and {@code parallel_tool_calls} of a request say; null for no tools, and where none may be called.
     *
     * @throws InputException if they aren't as OpenAI has them, or the template shows the model no tools
     */
    public static @Nullable Tools read(Fields f, ChatTemplate template) {
        List<JsonNode> all = f.listOrNull("tools");
        boolean several = f.bool("parallel_tool_calls", true);
        JsonNode choice = f.node("tool_choice");
        String word = choice == null || choice.isNull() ? "auto" : choice.isString() ? choice.stringValue() : "";
        if (all == null || all.isEmpty()) {
            if (choice != null && !choice.isNull() && !word.equals("none")) {
                throw f.refused("tool_choice", "is set, but there are no tools");
            }
            return null;
        }
        if (all.size() > MOST) {
            throw f.refused("tools", "has " + all.size() + " functions, at most " + MOST + " are allowed");
        }
        Map<String, @Nullable Fields> parameters = new LinkedHashMap<>();
        for (int i = 0; i < all.size(); i++) {
            Fields tool = f.inside("tools[" + i + "]", all.get(i));
            tool.choice("type", "function", "function");
            Fields function = tool.object("function");
            function.informational("description");
            function.boolOrNull("strict");
            JsonNode schema = function.node("parameters");
            parameters.put(
                    function.string("name"),
                    schema == null || schema.isNull() ? null : function.inside("parameters", schema));
            function.refuseUnread("It is not supported; leave it out");
            tool.refuseUnread("It is not supported; leave it out");
        }
        List<String> names = List.copyOf(parameters.keySet());
        if (names.size() < all.size()) {
            throw f.refused("tools", "has two functions of one name");
        }
        return switch (word) {
            case "none" -> null;
            case "auto" -> new Tools(all, names, Form.of(template), List.of(), several);
            case "required" -> forced(all, names, names, parameters, template);
            case "" -> forced(all, names, List.of(chosen(f, names)), parameters, template);
            default -> throw f.wrong("tool_choice", "none, auto, required or a function");
        };
    }

    private static String chosen(Fields f, List<String> names) {
        Fields choice = f.object("tool_choice");
        choice.choice("type", "function", "function");
        Fields function = choice.object("function");
        String name = function.string("name");
        function.refuseUnread("It is not supported; leave it out");
        choice.refuseUnread("It is not supported; leave it out");
        if (!names.contains(name)) {
            throw choice.refused("function.name", "is " + InputException.shown(name) + ", which is none of the tools");
        }
        return name;
    }

    private static Tools forced(
            List<JsonNode> all,
            List<String> names,
            List<String> wanted,
            Map<String, @Nullable Fields> parameters,
            ChatTemplate template) {
        Form form = Form.of(template);
        List<Schema> forced = new ArrayList<>();
        for (String name : wanted) {
            forced.add(SchemaReader.call(name, form.arguments, parameters.get(name)));
        }
        return new Tools(all, names, form, forced, false);
    }

    /**
     * What a model goes on from that is shown these tools; null for none.
     *
     * @throws InputException if the template leaves out calls of the conversation
     */
    public static Encoding prompt(Chat chat, List<Message> messages, @Nullable Tools tools) {
        if (tools == null) {
            chat.requireTools(messages, RenderOptions.PROMPT);
            return chat.prompt(messages);
        }
        return chat.prompt(messages, RenderOptions.PROMPT.withTools(tools.all), tools.opening());
    }

    /** Whether the text must be a call. */
    public boolean areForced() {
        return !forced.isEmpty();
    }

    /** What a text that is a call begins with, as the model would write it. */
    public String opening() {
        return areForced() && !form.tag.isEmpty() ? form.tag + "\n" : "";
    }

    /**
     * Told the pieces of a new text, says whether the only call that it may have is behind it; null where it may have several, or must be one, which
     * ends where its JSON does.
     */
    public @Nullable Predicate<String> end() {
        if (several || areForced()) {
            return null;
        }
        ToolText text = new ToolText(this);
        return piece -> {
            text.take(piece);
            return text.isDone();
        };
    }

    /** The call that a text is, or null if it is none. */
    @Nullable
    Call call(String text) {
        try {
            JsonNode node = Json.parse("a call", text);
            JsonNode name = node.path("name");
            JsonNode arguments = node.path(node.has("arguments") ? "arguments" : "parameters");
            if (!name.isString() || !names.contains(name.stringValue()) || !arguments.isObject()) {
                return null;
            }
            return Call.of(name.stringValue(), Json.compact(arguments));
        } catch (JacksonException | InputException none) {
            return null;
        }
    }

    /**
     * The same message with the arguments of its calls as objects: so templates read them.
     *
     * @throws InputException if they are no JSON, as those of a call that was cut
     */
    public static void openArguments(ObjectNode message) {
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
