package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.chat.Message;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChatRowsTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final Tokenizer QWEN = Tokenizers.load(FIXTURES.resolve("tokens/splitbpe"));
    private static final Tokenizer LLAMA = Tokenizers.load(FIXTURES.resolve("tokens/spbpe"));
    private static final Row.Chat ROW = new Row.Chat(List.of(
            Message.system("Be kind."),
            Message.user("Hi"),
            Message.assistant("Hello."),
            Message.user("And?"),
            Message.assistant("Bye")));

    private static Chat chat(String name, Tokenizer tokenizer) {
        String template = Json.read(FIXTURES.resolve("chat/template-" + name + ".json"))
                .path("template")
                .stringValue();
        return chat(name, template, tokenizer);
    }

    private static Chat chat(String name, String template, Tokenizer tokenizer) {
        return new Chat(ChatTemplate.of(name, template, tokenizer.specialTokens()), tokenizer);
    }

    private static Example encode(Chat chat, LossOn lossOn, int maxLength) {
        return new CausalEncoder(
                        chat.tokenizer(), chat, lossOn, chat.tokenizer().idLimit())
                .encode(3, ROW, "a.jsonl:4", maxLength);
    }

    private static String masked(Chat chat, LossOn lossOn) {
        return MaskedText.of(encode(chat, lossOn, Integer.MAX_VALUE), chat.tokenizer());
    }

    @Test
    void theLastAnswerEveryAnswerOrEverythingIsLearnedWithItsEndToken() {
        Chat chat = chat("chatml", QWEN);
        String before =
                "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        String between = "\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n";
        assertThat(masked(chat, LossOn.COMPLETION))
                .isEqualTo(before + "Hello.<|im_end|>" + between + "⟦Bye<|im_end|>⟧\n");
        assertThat(masked(chat, LossOn.ASSISTANT))
                .isEqualTo(before + "⟦Hello.<|im_end|>⟧" + between + "⟦Bye<|im_end|>⟧\n");
        Example all = encode(chat, LossOn.ALL, Integer.MAX_VALUE);
        assertThat(((Target.Tokens) all.target()).labels()).isEqualTo(all.ids());
    }

    @Test
    void theTemplateAloneWritesSpecialTokens() {
        Chat chat = chat("inst-bracket-llama2", LLAMA);
        Example example = encode(chat, LossOn.COMPLETION, Integer.MAX_VALUE);
        int bos = LLAMA.specialTokens().require(SpecialTokens.TokenRole.BOS).id();
        assertThat(example.ids()[0]).isEqualTo(bos);
        assertThat(example.ids()[1]).isNotEqualTo(bos);
        int end = LLAMA.specialTokens().require(SpecialTokens.TokenRole.EOS).id();
        assertThat(Arrays.stream(((Target.Tokens) example.target()).labels()).filter(label -> label == end))
                .as("only the end of the last answer is learned")
                .hasSize(1);
    }

    @Test
    void aLongConversationIsCutWithItsLabels() {
        Chat chat = chat("chatml", QWEN);
        Example whole = encode(chat, LossOn.ASSISTANT, Integer.MAX_VALUE);
        Example cut = encode(chat, LossOn.ASSISTANT, whole.length() - 6);
        assertThat(cut.ids()).isEqualTo(Arrays.copyOf(whole.ids(), whole.length() - 6));
        assertThat(((Target.Tokens) cut.target()).labels())
                .isEqualTo(Arrays.copyOf(((Target.Tokens) whole.target()).labels(), whole.length() - 6));
    }

    @Test
    void rowsThatCannotBeLearnedAreRefusedByLine() {
        Chat mute = chat(
                "mute", "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", QWEN);
        assertThatThrownBy(() -> encode(mute, LossOn.ASSISTANT, 99))
                .isInstanceOf(InputException.class)
                .hasMessage("a.jsonl:4: the chat template mute writes nothing of the assistant's messages, so there is"
                        + " nothing to learn");
        Chat strict = chat("strict", "{{ raise_exception('only one turn, please') }}", QWEN);
        assertThatThrownBy(() -> encode(strict, LossOn.ASSISTANT, 99))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("a.jsonl:4: ")
                .hasMessageContaining("only one turn, please");
        assertThatThrownBy(() ->
                        new CausalEncoder(QWEN, null, LossOn.ASSISTANT, QWEN.idLimit()).encode(0, ROW, "a.jsonl:4", 99))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a.jsonl:4: the row is a conversation, but the model has no chat template");
    }

    @Test
    void toolsAndTheirResultsGoThroughTheTemplate() {
        Chat chat = chat(
                "tools",
                "{% for t in tools %}<{{ t.name }}>{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}\n"
                        + "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments.x"
                        + " }}){% endfor %}<|im_end|>\n"
                        + "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
                        + "{% endif %}",
                QWEN);
        Message call = Message.of(
                Json.parse(
                        "",
                        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}"));
        Row row = new Row.Chat(
                List.of(Message.user("a"), call, new Message("tool", "2"), Message.assistant("b")),
                List.of(Json.parse("", "{\"name\":\"f\"}")));
        Example example = new CausalEncoder(QWEN, chat, LossOn.ASSISTANT, QWEN.idLimit()).encode(0, row, "a:1", 999);
        assertThat(MaskedText.of(example, QWEN))
                .isEqualTo("<f><|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦f(1)<|im_end|>⟧\n"
                        + "<|im_start|>tool\n2<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧\n");
    }

    /** The model sees them, so they aren't repeats. */
    @Test
    void conversationsWithOtherToolsAreOtherRows() {
        List<Message> messages = List.of(Message.user("a"), Message.assistant("b"));
        Row without = new Row.Chat(messages);
        Row with = new Row.Chat(messages, List.of(Json.parse("", "{\"name\":\"f\"}")));
        assertThat(with.hash()).isNotEqualTo(without.hash());
        assertThat(new Row.Chat(messages, List.of(Json.parse("", "{\"name\":\"f\"}"))).hash())
                .isEqualTo(with.hash());
    }

    @Test
    void anInstructionIsAConversationOrElseAlpacasPrompt() {
        Row row = new Row.Instruction("", "Add", "1 2", "3");
        Example chat = new CausalEncoder(QWEN, chat("chatml", QWEN), LossOn.COMPLETION, QWEN.idLimit())
                .encode(0, row, "a:1", 999);
        assertThat(MaskedText.of(chat, QWEN))
                .isEqualTo("<|im_start|>user\nAdd\n\n1 2<|im_end|>\n<|im_start|>assistant\n⟦3<|im_end|>⟧\n");
        Example plain = new CausalEncoder(QWEN, null, LossOn.COMPLETION, QWEN.idLimit()).encode(0, row, "a:1", 999);
        assertThat(MaskedText.of(plain, QWEN))
                .startsWith("Below is an instruction that describes a task, paired with an input")
                .contains("### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n⟦3<|");
    }

    @Test
    void theAnswersToAQuestionWithASystemGoThroughTheTemplate() {
        Row row = new Row.Preference(
                new Row.Instruction("Be kind.", "Hi", "", "Hello"), new Row.Instruction("Be kind.", "Hi", "", "No"));
        Example pair = new PreferenceEncoder(
                        new CausalEncoder(QWEN, chat("chatml", QWEN), LossOn.COMPLETION, QWEN.idLimit()),
                        new TrainingObjective.Orpo(0.1))
                .encode(0, row, "a:1", 999);
        String asked =
                "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assertThat(MaskedText.of(pair, QWEN)).isEqualTo(asked + "⟦Hello<|im_end|>⟧\n");
        assertThat(MaskedText.of(pair.others().get(0), QWEN)).isEqualTo(asked + "⟦No<|im_end|>⟧\n");
    }

    @Test
    void allOfATextIsLearnedWithItsEnd() {
        Example text = new CausalEncoder(LLAMA, null, LossOn.COMPLETION, LLAMA.idLimit())
                .encode(0, new Row.Text("Once upon", null, null), "a:1", 99);
        assertThat(MaskedText.of(text, LLAMA)).isEqualTo("<s>⟦Once upon</s>⟧");
    }

    @Test
    void aTemplateThatDoesNotBeginAnswersIsWarnedOf() {
        assertThat(CausalEncoder.promptWarning(chat("chatml", QWEN))).isNull();
        assertThat(CausalEncoder.promptWarning(chat("inst-bracket-llama2", LLAMA)))
                .isNull();
        Chat deaf = new Chat(
                ChatTemplate.of(
                        "deaf",
                        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
                        QWEN.specialTokens()),
                QWEN);
        assertThat(CausalEncoder.promptWarning(deaf))
                .startsWith("deaf ignores add_generation_prompt")
                .contains("<|im_start|>assistant");
    }

    @Test
    void anEndTokenAtWhichNothingStopsIsWarnedOf() {
        Chat chat = chat("chatml", QWEN);
        int end = QWEN.tokenId("<|im_end|>").getAsInt();
        assertThat(CausalEncoder.endWarning(chat, Set.of(end, 0))).isNull();
        assertThat(CausalEncoder.endWarning(chat, Set.of(0)))
                .contains("ends an answer with <|im_end|>, at which generation does not stop");
    }
}
