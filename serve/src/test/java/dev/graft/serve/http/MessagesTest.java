package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** What a message may say. */
class MessagesTest extends WithTinyChat {
    private static Client.Reply ask(String... messages) {
        return client.post(
                "/v1/chat/completions",
                "{\"model\": \"tiny\", \"temperature\": 0, \"max_tokens\": 4, \"messages\": ["
                        + String.join(", ", messages) + "]}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'role': 'usr', 'content': 'a'} | messages[1].role is \"usr\", expected one of",
                "{'role': 'usr', 'content': 'a'} | did you mean \"user\"?",
                "{'role': '', 'content': 'a'} | messages[1].role is \"\"",
                "{'role': null, 'content': 'a'} | messages[1].role is null",
                "{'role': 3, 'content': 'a'} | messages[1].role is 3",
                "{'content': 'a'} | messages[1].role is missing",
                "3 | messages[1] is 3, expected an object",
                "null | messages[1] is null, expected an object",
                "{'role': 'user', 'content': 'a', 'mood': 'glad'} | unknown field \"messages[1].mood\"",
                "{'role': 'user', 'content': 'a', 'audio': {'id': 'x'}} | unknown field \"messages[1].audio\"",
                "{'role': 'user', 'content': 'a', 'refusal': 'no'} | unknown field \"messages[1].refusal\"",
                "{'role': 'assistant', 'content': 'a', 'annotations': [1]} | unknown field \"messages[1].annotations\"",
                "{'role': 'assistant', 'content': 'a', 'function_call': {'name': 'f'}} | unknown field \"messages[1].function_call\"",
                "{'role': 'user', 'content': 'a', 'name': 3} | messages[1].name is 3",
                "{'role': 'tool', 'content': 'a', 'tool_call_id': 3} | messages[1].tool_call_id is 3",
                "{'role': 'assistant', 'content': 'a', 'tool_calls': 'f'} | messages[1].tool_calls is \"f\"",
                "{'role': 'user'} | messages[1].content is missing,",
                "{'role': 'assistant'} | messages[1].content is missing,",
                "{'role': 'user', 'content': null} | messages[1].content is null,",
                "{'role': 'assistant', 'content': null} | messages[1].content is null,",
                "{'role': 'assistant', 'content': null, 'tool_calls': []} | messages[1].content is null,",
                "{'role': 'user', 'content': [{'type': 'text', 'text': 'a', 'cache_control': {}}]} | messages[1].content[0] is not text alone",
                "{'role': 'user', 'content': 'a', 'tool_calls': [{'id': 'x', 'type': 'function', 'function': {'name': 'f', 'arguments': '{}'}}]} | messages[1].tool_calls are an assistant's",
                "{'role': 'user', 'content': 3} | messages[1].content is 3,",
                "{'role': 'user', 'content': true} | messages[1].content is true,",
                "{'role': 'user', 'content': {}} | messages[1].content is {},"
            })
    void whatCanNotBeHonouredIsRefusedByName(String message, String why) {
        Client.Reply reply = ask("{\"role\": \"user\", \"content\": \"Hello\"}", message.replace('\'', '"'));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).startsWith("the request").contains(why);
    }

    @Test
    void aPartMayHaveFieldsThatAreNull() {
        assertThat(
                        ask("{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Hello\", \"cache_control\": null}]}")
                                .status())
                .isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"system", "developer", "user", "assistant", "tool", "function"})
    void rolesOfTheProtocolAreTakenWithTheirNames(String role) {
        String message = "{\"role\": \"" + role + "\", \"content\": \"Hello\", \"name\": \"ann\"}";

        assertThat(ask(message).status()).isEqualTo(200);
    }

    /** As {@code message.model_dump()} of OpenAI's client for Python has it, with the empty list of OpenAI's own answers. */
    @Test
    void anAnswerThatIsSentBackMayHaveFieldsThatAreEmpty() {
        String user = "{\"role\": \"user\", \"content\": \"Hello\"}";
        ObjectNode answer =
                (ObjectNode) ask(user).json().path("choices").path(0).path("message");
        String brief = "{\"role\": \"assistant\", \"content\": " + Json.compact(answer.path("content")) + "}";
        answer.putArray("annotations");
        answer.putNull("audio").putNull("function_call").putNull("tool_calls");
        answer.putNull("reasoning_content").putNull("what_comes_next_year");

        Client.Reply reply = ask(user, Json.compact(answer), user);

        assertThat(reply.status()).as(reply.body()).isEqualTo(200);
        assertThat(reply.content()).isEqualTo(ask(user, brief, user).content());
    }
}
