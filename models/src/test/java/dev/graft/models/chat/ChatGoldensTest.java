package dev.graft.models.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Json;
import dev.graft.models.chat.internal.TemplateError;
import dev.graft.models.chat.internal.TemplateProgram;
import dev.graft.models.chat.internal.TemplateValues;
import dev.graft.models.tokenizers.SpecialTokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Every template and snippet gives the text that transformers and jinja2 give, or is refused where they refuse it. */
class ChatGoldensTest {

    private static final Path FIXTURES = Path.of("../parity/fixtures/chat");
    private static final LocalDateTime NOW = LocalDateTime.of(2024, 7, 26, 9, 5, 3);

    static List<String> templates() throws IOException {
        try (Stream<Path> files = Files.list(FIXTURES)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("template-"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void thereAreTemplatesOfManyFamilies() throws IOException {
        assertThat(templates()).hasSizeGreaterThanOrEqualTo(25);
    }

    @ParameterizedTest
    @MethodSource("templates")
    void conversationsRenderAsTransformersRendersThem(String file) {
        JsonNode golden = Json.read(FIXTURES.resolve(file));
        JsonNode conversations = Json.read(FIXTURES.resolve("conversations.json"));
        ChatTemplate template = ChatTemplate.of(
                        file, golden.path("template").stringValue(), specials(golden.path("special_tokens")))
                .at(NOW);
        List<String> wrong = new ArrayList<>();
        for (JsonNode c : golden.path("cases")) {
            String name = c.path("conversation").stringValue() + " " + c.path("options");
            String expected = c.has("error") ? "refused" : c.path("text").stringValue() + c.path("generated");
            String actual;
            try {
                ChatTemplate.Rendered rendered = template.render(
                        messages(conversations.path(c.path("conversation").stringValue())), options(c.path("options")));
                StringBuilder spans = new StringBuilder("[");
                rendered.generated()
                        .forEach(
                                s -> spans.append(spans.length() > 1 ? "," : "").append("[" + s[0] + "," + s[1] + "]"));
                actual = rendered.text() + (c.has("generated") ? spans.append("]") : "");
            } catch (TemplateException e) {
                actual = c.has("error") ? "refused" : e.getMessage();
            }
            if (!actual.equals(expected)) {
                wrong.add(name + "\n  expected " + expected.replace("\n", "\\n") + "\n  actual   "
                        + actual.replace("\n", "\\n"));
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static List<Message> messages(JsonNode conversation) {
        List<Message> messages = new ArrayList<>();
        conversation.forEach(message -> messages.add(Message.of(message)));
        return messages;
    }

    private static RenderOptions options(JsonNode node) {
        Map<String, Object> variables = new LinkedHashMap<>();
        node.properties().forEach(option -> {
            if (!List.of("add_generation_prompt", "tools", "documents").contains(option.getKey())) {
                variables.put(option.getKey(), option.getValue());
            }
        });
        return new RenderOptions(
                node.path("add_generation_prompt").asBoolean(false),
                list(node.path("tools")),
                list(node.path("documents")),
                variables);
    }

    private static List<JsonNode> list(JsonNode array) {
        if (!array.isArray()) {
            return null;
        }
        List<JsonNode> items = new ArrayList<>();
        array.forEach(items::add);
        return items;
    }

    static SpecialTokens specials(JsonNode named) {
        Map<SpecialTokens.TokenRole, SpecialTokens.SpecialToken> roles = new EnumMap<>(SpecialTokens.TokenRole.class);
        for (SpecialTokens.TokenRole role : SpecialTokens.TokenRole.values()) {
            if (named.has(role.key())) {
                roles.put(
                        role,
                        new SpecialTokens.SpecialToken(named.path(role.key()).stringValue(), roles.size()));
            }
        }
        return new SpecialTokens("golden", roles, List.of());
    }

    @Test
    @SuppressWarnings("unchecked")
    void snippetsGiveTheTextOfJinja() {
        JsonNode golden = Json.read(FIXTURES.resolve("snippets.json"));
        Map<String, Object> variables = (Map<String, Object>) TemplateValues.of(golden.path("variables"));
        List<String> wrong = new ArrayList<>();
        assertThat(golden.path("cases")).hasSizeGreaterThan(400);
        for (JsonNode c : golden.path("cases")) {
            String expected = c.has("error") ? "refused" : c.path("text").stringValue();
            String actual;
            try {
                actual = TemplateProgram.parse(c.path("template").stringValue())
                        .render(variables, () -> NOW)
                        .text();
            } catch (TemplateError e) {
                assertThat(e.line())
                        .as("line of the error in %s", c.path("template"))
                        .isPositive();
                actual = c.has("error") ? "refused" : "error: " + e.what();
            }
            if (!actual.equals(expected)) {
                wrong.add(c.path("template") + "\n  expected " + expected + " "
                        + c.path("error").asString("") + "\n  actual   " + actual);
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    @SuppressWarnings("unchecked")
    void whatIsNotSupportedIsNamedWithItsLine() {
        JsonNode golden = Json.read(FIXTURES.resolve("snippets.json"));
        Map<String, Object> variables = (Map<String, Object>) TemplateValues.of(golden.path("variables"));
        for (JsonNode template : golden.path("refused")) {
            assertThatThrownBy(() ->
                            TemplateProgram.parse("\n" + template.stringValue()).render(variables, () -> NOW))
                    .as(template.stringValue())
                    .isInstanceOfSatisfying(
                            TemplateError.class, e -> assertThat(e.line()).isEqualTo(2));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% include 'x' %}",
                "{% extends 'x' %}",
                "{% import 'x' as y %}",
                "{% block a %}{% endblock %}",
                "{% raw %}x{% endraw %}",
                "{% filter upper %}x{% endfilter %}",
                "{% with a = 1 %}{% endwith %}",
                "{% autoescape true %}{% endautoescape %}",
                "{% for x in [] recursive %}{% endfor %}"
            })
    void tagsBeyondTheSubsetAreNamed(String template) {
        assertThatThrownBy(() -> ChatTemplate.of("t.jinja", "a\nb\n" + template, specials(Json.parse("none", "{}"))))
                .isInstanceOf(TemplateException.class)
                .hasMessageStartingWith("t.jinja, line 3: ")
                .hasMessageContaining("not supported");
    }
}
