package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The field of a request that a refusal names beside its message, as OpenAI's do. */
class ParamTest extends WithTinyChat {
    private static final String USER = "{'role': 'user', 'content': 'Hello'}";

    private static String param(Client.Reply reply) {
        assertThat(reply.status()).as(reply.body()).isBetween(400, 499);
        return reply.json().at("/error/param").asString("none");
    }

    private static String param(String path, String body) {
        return param(client.post(path, body.replace('\'', '"')));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'temperature': 3 | temperature",
                "'temperature': 'hot' | temperature",
                "'top_p': 0 | top_p",
                "'repetition_penalty': 0 | repetition_penalty",
                "'n': 0 | n",
                "'stop': [''] | stop",
                "'stop': ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q'] | stop",
                "'seed': 1.5 | seed",
                "'logit_bias': {'x': 1} | logit_bias.x",
                "'unheard_of': 1 | unheard_of",
                "'stream_options': {'include_usage': true} | stream_options",
                "'stream': true, 'stream_options': {'strange': 1} | stream_options.strange",
                "'top_logprobs': 2 | top_logprobs",
                "'functions': [] | functions",
                "'store': true | store",
                "'response_format': {'type': 'xml'} | response_format.type",
                "'response_format': {'type': 'json_object'}, 'stop': 'a' | stop",
                "'response_format': {'type': 'json_object'}, 'ignore_eos': true | ignore_eos",
                "'response_format': {'type': 'json_schema', 'json_schema': {'name': 'x', 'schema': {'type': 'object',"
                        + " 'properties': {'a': {'anyOf': []}}}}} | response_format.json_schema.schema.properties.a",
                "'tool_choice': 'auto' | tool_choice",
                "'tools': [{'type': 'retrieval'}] | tools[0].type",
                "'tools': [{'type': 'function', 'function': {'name': 'f', 'strange': 1}}] | tools[0].function.strange",
                "'tools': [{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object', 'properties':"
                        + " {'a': {'pattern': 'x'}}}}}], 'tool_choice': 'required'"
                        + " | tools[0].function.parameters.properties.a.pattern"
            })
    void ofAChatItIsTheFieldThatIsWrong(String fields, String param) {
        assertThat(param("/v1/chat/completions", "{'model': 'tiny', 'messages': [" + USER + "], " + fields + "}"))
                .isEqualTo(param);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[] | messages",
                "3 | messages",
                "[3] | messages[0]",
                "[{'role': 'usr', 'content': 'a'}] | messages[0].role",
                "[{'role': 'user', 'content': 'a', 'mood': 'glad'}] | messages[0].mood",
                "[{'role': 'user', 'content': 3}] | messages[0].content",
                "[{'role': 'user', 'content': [{'type': 'text', 'text': 'a'}, {'type': 'image_url'}]}] | messages[0].content[1]",
                "[{'role': 'assistant', 'content': null, 'tool_calls': [{'function': {'name': 'f', 'arguments': '{'}}]}]"
                        + " | messages"
            })
    void ofMessagesItIsThePlace(String messages, String param) {
        assertThat(param("/v1/chat/completions", "{'model': 'tiny', 'messages': " + messages + "}"))
                .isEqualTo(param);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'model': 'nobody', 'prompt': 'a' | model",
                "'model': 3, 'prompt': 'a' | model",
                "'prompt': 'a' | model",
                "'model': 'tiny' | prompt",
                "'model': 'tiny', 'prompt': '' | prompt",
                "'model': 'tiny', 'prompt': [1, 300] | prompt[1]",
                "'model': 'tiny', 'prompt': ['a', 'b'], 'n': 100 | n",
                "'model': 'tiny', 'prompt': 'a', 'best_of': 2 | best_of",
                "'model': 'tiny', 'prompt': 'a', 'suffix': 'b' | suffix"
            })
    void ofAPlainTextItIsTheFieldThatIsWrong(String fields, String param) {
        assertThat(param("/v1/completions", "{" + fields + "}")).isEqualTo(param);
    }

    @Test
    void ofAModelThatIsNotThereItIsTheModel() {
        assertThat(param(client.get("/v1/models/nobody"))).isEqualTo("model");
        assertThat(param(client.ask("nobody", ""))).isEqualTo("model");
    }

    @Test
    void ofATextThatIsTooLongItIsTheText() {
        String text = "Hello you there ".repeat(200);

        assertThat(param(client.post(
                        "/v1/chat/completions", Client.chat("tiny", "").replace("Hello", text))))
                .isEqualTo("messages");
        assertThat(param("/v1/completions", "{'model': 'tiny', 'prompt': '" + text + "'}"))
                .isEqualTo("prompt");
    }

    /** Its file has a field of a wrong value, which isn't one of the request. */
    @Test
    void ofAnAdapterThatCanNotBeReadItIsTheModel() throws IOException {
        tiny.lora("damaged", 6);
        var config = tiny.adapterFolder.resolve("damaged/adapter_config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\"r\" *: *\\d+", "\"r\": \"wide\""));
        Client.Reply reply = client.ask("damaged", "");

        assertThat(reply.error()).contains("r is \"wide\"");
        assertThat(param(reply)).isEqualTo("model");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "load | 'lora_name': 'x', 'lora_path': 'nobody' | lora_path",
                "load | 'lora_name': 'x' | lora_path",
                "load | 'lora_name': 'x', 'adapters': {'nobody': 1} | adapters",
                "load | 'lora_name': 'x', 'adapters': {'poet': 'a'} | adapters.poet",
                "load | 'lora_name': 'x', 'adapters': {'poet': 1}, 'combination': 'soup' | combination",
                "unload | 'lora_name': 'nobody' | lora_name"
            })
    void ofAnAdapterThatComesOrGoesItIsTheFieldThatIsWrong(String way, String fields, String param) {
        assertThat(param("/v1/" + way + "_lora_adapter", "{" + fields + "}")).isEqualTo(param);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]"})
    void ofWhatIsNoRequestThereIsNone(String body) {
        assertThat(param("/v1/completions", body)).isEqualTo("none");
        assertThat(param(client.get("/nowhere"))).isEqualTo("none");
    }
}
