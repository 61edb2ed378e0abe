package dev.graft.models.chat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.models.tokenizers.SpecialTokens;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Any text is either a template that renders, or refused with a {@link TemplateException}. */
class TemplateFuzzTest {

    private static final SpecialTokens NONE = new SpecialTokens("none", Map.of(), List.of());
    private static final List<Message> MESSAGES =
            List.of(Message.system("Be kind."), Message.user("Hi"), Message.assistant("Hello"));

    @FuzzTest(maxDuration = "2m")
    void templates(byte[] input) {
        try {
            ChatTemplate.of("fuzz", new String(input, StandardCharsets.UTF_8), NONE)
                    .render(MESSAGES, RenderOptions.PROMPT);
        } catch (TemplateException refused) {
            // refused with its line
        }
    }
}
