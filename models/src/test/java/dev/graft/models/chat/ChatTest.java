package dev.graft.models.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.models.tokenizers.Truncation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class ChatTest {

    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final Tokenizer QWEN = Tokenizers.load(FIXTURES.resolve("tokens/splitbpe"));
    private static final Tokenizer LLAMA = Tokenizers.load(FIXTURES.resolve("tokens/spbpe"));
    private static final List<Message> TURNS = List.of(
            Message.system("Be kind."),
            Message.user("Hi é🙂"),
            Message.assistant("Hello 🙂."),
            Message.user("And?"),
            Message.assistant("  Bye"));

    private static Chat chat(String name, Tokenizer tokenizer) {
        String template = Json.read(FIXTURES.resolve("chat/template-" + name + ".json"))
                .path("template")
                .stringValue();
        return new Chat(ChatTemplate.of(name, template, tokenizer.specialTokens()), tokenizer);
    }

    /** The text of the tokens that the assistant is said to write. */
    private static String answers(Chat chat, Chat.Supervised row) {
        return chat.tokenizer()
                .decode(
                        IntStream.range(0, row.assistant().length)
                                .filter(i -> row.assistant()[i])
                                .map(i -> row.encoding().ids()[i])
                                .toArray(),
                        false);
    }

    /** An answer that is a call would be learnt as an empty one. */
    @Test
    void toolsThatATemplateLeavesOutAreRefused() {
        JsonNode tools = Json.parse(
                "tools", "[{\"type\": \"function\", \"function\": {\"name\": \"add\", \"parameters\": {}}}]");
        Message call = Message.of(Json.parse(
                "call",
                "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"type\": \"function\", \"function\":"
                        + " {\"name\": \"add\", \"arguments\": {\"a\": 1}}}]}"));
        List<Message> turns = List.of(Message.user("Please add 1 to it"), call);
        RenderOptions withTools = RenderOptions.DEFAULT.withTools(List.of(tools.get(0)));
        Chat without = chat("chatml", QWEN);
        Chat knowing = chat("tools-qwen25", QWEN);

        assertThatThrownBy(() -> without.supervised(turns, RenderOptions.DEFAULT, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"add\"")
                .hasMessageContaining("tool_calls");
        assertThatThrownBy(() ->
                        without.supervised(List.of(Message.user("add 1"), Message.assistant("Yes")), withTools, null))
                .hasMessageContaining("\"add\"");
        assertThatThrownBy(() -> without.requireTools(List.of(Message.user("add 1")), withTools))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"add\"");
        List<Message> called = List.of(Message.user("add 1"), call, new Message("tool", "2"));
        assertThatThrownBy(() -> without.requireTools(called, RenderOptions.PROMPT))
                .hasMessageContaining("\"add\"");
        assertThat(answers(knowing, knowing.supervised(turns, withTools, null))).contains("add");
    }

    @Test
    void aTemplateMayShowToolsAndLeaveTheirCallsOut() {
        ChatTemplate listing = ChatTemplate.of(
                "listing",
                "{{ tools | tojson }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
                QWEN.specialTokens());
        RenderOptions options = RenderOptions.DEFAULT.withTools(List.of(Map.of("name", "f")));
        Message call = new Message(Map.of(
                "role", "assistant", "content", "", "tool_calls", List.of(Map.of("function", Map.of("name", "f")))));
        Chat chat = new Chat(listing, QWEN);

        chat.requireTools(List.of(Message.user("f")), options);
        assertThatThrownBy(() -> chat.supervised(List.of(Message.user("f"), call), options, null))
                .hasMessageContaining("listing: the chat template leaves out tools and their calls: \"f\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"chatml", "chatml-default-system", "chatml-training", "tools-qwen25"})
    void answersWithTheTokenThatEndsThemAreTheAssistants(String name) {
        Chat chat = chat(name, QWEN);
        Chat.Supervised row = chat.supervised(TURNS, RenderOptions.DEFAULT, null);
        assertThat(answers(chat, row)).isEqualTo("Hello 🙂.<|im_end|>  Bye<|im_end|>");
        assertThat(QWEN.decode(row.encoding().ids(), false)).isEqualTo(row.text());
    }

    @Test
    void templatesThatTrimTheAnswerStillShowIt() {
        Chat chat = chat("inst-bracket-llama2", LLAMA);
        Chat.Supervised row = chat.supervised(TURNS, RenderOptions.DEFAULT, null);
        assertThat(answers(chat, row))
                .contains("Hello")
                .contains("Bye")
                .doesNotContain("And")
                .doesNotContain("INST")
                .endsWith("</s>");
    }

    @Test
    void truncationKeepsTheMaskAlignedWithItsTokens() {
        Chat chat = chat("chatml", QWEN);
        Chat.Supervised whole = chat.supervised(TURNS, RenderOptions.DEFAULT, null);
        int length = whole.encoding().length() - 12;
        Chat.Supervised cut = chat.supervised(TURNS, RenderOptions.DEFAULT, Truncation.to(length));
        assertThat(cut.encoding().length()).isEqualTo(length);
        assertThat(cut.assistant()).isEqualTo(java.util.Arrays.copyOf(whole.assistant(), length));
        assertThat(answers(chat, cut)).startsWith("Hello 🙂.<|im_end|>");
    }

    @Test
    void answersThatATemplateRewritesLaterAreAnError() {
        Chat chat = chat("names-deepseek", QWEN);
        List<Message> turns =
                List.of(Message.user("a"), Message.assistant("b"), Message.user("c"), Message.assistant("d"));
        assertThat(answers(chat, chat.supervised(turns, RenderOptions.DEFAULT, null)))
                .startsWith("b")
                .contains("d");
        ChatTemplate counting = ChatTemplate.of(
                "counting.jinja",
                "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}",
                QWEN.specialTokens());
        assertThatThrownBy(() -> new Chat(counting, QWEN).supervised(turns, RenderOptions.DEFAULT, null))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("counting.jinja: the answer in message 2")
                .hasMessageContaining("{% generation %}");
    }

    @Test
    void aPromptEndsWhereTheModelGoesOn() {
        Chat chat = chat("chatml", QWEN);
        assertThat(QWEN.decode(chat.prompt(List.of(Message.user("Hi"))).ids(), false))
                .isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    }

    /** SentencePiece marks a space before a text that is encoded alone. */
    @Test
    void anAnswerThatHasBegunIsReadWithWhatIsBeforeIt() {
        ChatTemplate template = ChatTemplate.of("plain", "{{ messages[0].content }}:", LLAMA.specialTokens());
        int[] ids = new Chat(template, LLAMA)
                .prompt(List.of(Message.user("Hi")), RenderOptions.PROMPT, "<tool_call>\n")
                .ids();
        assertThat(LLAMA.decode(ids, false)).isEqualTo("Hi:<tool_call>\n");
    }

    @Test
    void theTokenizerAddsNoSecondBos() {
        Chat chat = chat("inst-mistral", LLAMA);
        int[] ids = chat.prompt(List.of(Message.user("Hi"))).ids();
        assertThat(IntStream.of(ids).filter(id -> id == 1)).hasSize(1);
        assertThat(ids[0]).isEqualTo(1);
        ChatTemplate twice = ChatTemplate.of(
                "twice", "{{ bos_token }}{{ bos_token }}{{ messages[0].content }}", LLAMA.specialTokens());
        assertThatThrownBy(() -> new Chat(twice, LLAMA).prompt(List.of(Message.user("Hi"))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("two <s>");
    }

    @Test
    void templatesAreFoundInTheirThreePlacesInOrder(@TempDir Path folder) throws IOException {
        SpecialTokens tokens = QWEN.specialTokens();
        assertThatThrownBy(() -> ChatTemplate.load(folder, tokens))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no chat template")
                .hasMessageContaining("chat_template.jinja");
        Files.writeString(folder.resolve("chat_template.json"), "{\"chat_template\": \"json\"}");
        assertThat(text(folder, tokens, null)).isEqualTo("json");
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"chat_template\": [{\"name\": \"default\", \"template\": \"plain\"}, {\"name\": \"tool_use\", \"template\": \"tools\"}]}");
        assertThat(text(folder, tokens, null)).isEqualTo("plain");
        assertThat(text(folder, tokens, List.of(Map.of("name", "f")))).isEqualTo("tools");
        Files.writeString(folder.resolve("chat_template.jinja"), "{{ eos_token }}\n");
        assertThat(text(folder, tokens, null)).isEqualTo("<|im_end|>");
    }

    private static String text(Path folder, SpecialTokens tokens, List<?> tools) {
        return ChatTemplate.load(folder, tokens)
                .render(List.of(Message.user("Hi")), RenderOptions.DEFAULT.withTools(tools))
                .text();
    }

    @Test
    void errorsNameTheTemplateAndItsLine() {
        ChatTemplate template = ChatTemplate.of(
                "m.jinja",
                "a\n{% for m in messages %}\n{{ raise_exception('no ' ~ m.role) }}\n{% endfor %}",
                QWEN.specialTokens());
        assertThatThrownBy(() -> template.render(List.of(Message.user("Hi")), RenderOptions.DEFAULT))
                .isInstanceOfSatisfying(
                        TemplateException.class, e -> assertThat(e.line()).isEqualTo(3))
                .hasMessage("m.jinja, line 3: the template refuses the conversation: no user");
        assertThatThrownBy(() -> template.render(List.of(), RenderOptions.DEFAULT))
                .isInstanceOf(InputException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "{{ 'a' * 1000000000 }}",
                "{{ 9 ** 99999999 }}",
                "{{ range(10 ** 12) }}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
            })
    void aTemplateCannotUseUpTheMachine(String template) {
        assertThatThrownBy(() -> ChatTemplate.of("t", template, QWEN.specialTokens())
                        .render(List.of(Message.user("Hi")), RenderOptions.DEFAULT))
                .isInstanceOf(TemplateException.class);
    }

    @Test
    void deepNestingIsRefusedAndLongChainsAreNotACrash() {
        String deep = "{{ " + "(".repeat(50_000) + "1" + ")".repeat(50_000) + " }}";
        assertThatThrownBy(() -> ChatTemplate.of("t", deep, QWEN.specialTokens()))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("nested");
        String sum = "{{ " + "1+".repeat(200_000) + "1 }}";
        assertThatThrownBy(() -> ChatTemplate.of("t", sum, QWEN.specialTokens())
                        .render(List.of(Message.user("Hi")), RenderOptions.DEFAULT))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("too deeply");
    }

    @Test
    void messagesKeepWhatTheyCarryAndNeedARole() {
        Message message = Message.of(
                Json.parse("row", "{\"role\": \"assistant\", \"tool_calls\": [{\"id\": 1}], \"content\": null}"));
        assertThat(message.content()).isNull();
        assertThat(message.role()).isEqualTo("assistant");
        ChatTemplate template = ChatTemplate.of("t", "{{ messages | tojson }}", QWEN.specialTokens());
        assertThat(template.render(List.of(message), RenderOptions.DEFAULT).text())
                .isEqualTo("[{\"role\": \"assistant\", \"tool_calls\": [{\"id\": 1}]}]");
        assertThatThrownBy(() -> Message.of(Json.parse("row", "{\"content\": \"x\"}")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("role");
    }
}
