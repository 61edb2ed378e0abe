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
                "{'role': 'usr', 'content': 'a'} | messages[1]: role is \"usr\", expected one of",
                "{'role': 'usr', 'content': 'a'} | did you mean \"user\"?",
                "{'role': '', 'content': 'a'} | messages[1]: role is \"\"",
                "{'role': null, 'content': 'a'} | messages[1]: role is null",
                "{'role': 3, 'content': 'a'} | messages[1]: role is 3",
                "{'content': 'a'} | messages[1]: role is missing",
                "3 | messages[1]: holds 3, expected a JSON object",
                "null | messages[1]: holds null, expected a JSON object",
                "{'role': 'user', 'content': 'a', 'mood': 'glad'} | messages[1]: unknown field \"mood\"",
                "{'role': 'user', 'content': 'a', 'audio': {'id': 'x'}} | messages[1]: unknown field \"audio\"",
                "{'role': 'user', 'content': 'a', 'refusal': 'no'} | messages[1]: unknown field \"refusal\"",
                "{'role': 'assistant', 'content': 'a', 'annotations': [1]} | messages[1]: unknown field \"annotations\"",
                "{'role': 'assistant', 'content': 'a', 'function_call': {'name': 'f'}} | unknown field \"function_call\"",
                "{'role': 'user', 'content': 'a', 'name': 3} | messages[1]: name is 3",
                "{'role': 'tool', 'content': 'a', 'tool_call_id': 3} | messages[1]: tool_call_id is 3",
                "{'role': 'assistant', 'content': 'a', 'tool_calls': 'f'} | messages[1]: tool_calls is \"f\"",
                "{'role': 'user'} | content of a message is missing,",
                "{'role': 'assistant'} | content of a message is missing,",
                "{'role': 'user', 'content': null} | content of a message is null,",
                "{'role': 'user', 'content': 3} | content of a message is a number,",
                "{'role': 'user', 'content': true} | content of a message is true or false,",
                "{'role': 'user', 'content': {}} | content of a message is an object,"
            })
    void whatCanNotBeHonouredIsRefusedByName(String message, String why) {
        Client.Reply reply = ask("{\"role\": \"user\", \"content\": \"Hello\"}", message.replace('\'', '"'));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).startsWith("the request").contains(why);
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
