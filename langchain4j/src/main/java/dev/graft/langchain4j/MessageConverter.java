package dev.graft.langchain4j;

import dev.graft.models.chat.Message;
import dev.graft.serve.tools.Tools;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Converts LangChain4j's messages for chat templates. */
final class MessageConverter {
    private MessageConverter() {}

    static Message of(ChatMessage message) {
        if (message instanceof SystemMessage system) {
            return Message.system(system.text());
        }
        if (message instanceof UserMessage user && user.hasSingleText()) {
            ObjectNode json = JsonNodeFactory.instance.objectNode().put("role", "user");
            json.put("content", user.singleText());
            return Message.of(user.name() == null ? json : json.put("name", user.name()));
        }
        if (message instanceof AiMessage answer) {
            return answer.hasToolExecutionRequests() ? calls(answer) : Message.assistant(answer.text());
        }
        if (message instanceof ToolExecutionResultMessage result && result.hasSingleText()) {
            ObjectNode json = JsonNodeFactory.instance.objectNode().put("role", "tool");
            return Message.of(json.put("tool_call_id", result.id())
                    .put("name", result.toolName())
                    .put("content", result.text()));
        }
        throw new UnsupportedFeatureException(
                "messages of the type " + message.type() + " that are more than one text are not supported");
    }

    private static Message calls(AiMessage answer) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("role", "assistant");
        json.put("content", answer.text());
        ArrayNode calls = json.putArray("tool_calls");
        for (ToolExecutionRequest call : answer.toolExecutionRequests()) {
            String arguments = call.arguments() == null || call.arguments().isBlank() ? "{}" : call.arguments();
            calls.add(new Tools.ToolCall(call.id(), call.name(), arguments).json());
        }
        Tools.parseArguments(json);
        return Message.of(json);
    }
}
