package dev.graft.langchain4j;

import dev.graft.formats.Fields;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.serve.tools.Tools;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.model.chat.request.ChatRequest;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Converts LangChain4j's tools to fields of a server request. */
final class ToolConverter {
    private ToolConverter() {}

    /** Converts the tools of a request; null if there are none or none may be called. */
    static @Nullable Tools read(ChatRequest request, ChatTemplate template) {
        ObjectNode fields = JsonNodeFactory.instance.objectNode();
        ArrayNode all = fields.putArray("tools");
        request.toolSpecifications()
                .forEach(tool -> all.addObject().put("type", "function").set("function", function(tool)));
        if (request.toolChoice() != null) {
            fields.put("tool_choice", request.toolChoice().name().toLowerCase(Locale.ROOT));
        }
        return Tools.read(Fields.of("the request", fields), template);
    }

    private static ObjectNode function(ToolSpecification tool) {
        ObjectNode function = JsonNodeFactory.instance.objectNode().put("name", tool.name());
        if (tool.description() != null) {
            function.put("description", tool.description());
        }
        if (tool.parameters() != null) {
            function.set("parameters", SchemaConverter.json(tool.parameters()));
        }
        if (tool.strict() != null) {
            function.put("strict", tool.strict());
        }
        return function;
    }
}
