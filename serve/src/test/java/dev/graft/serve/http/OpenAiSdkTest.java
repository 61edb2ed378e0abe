package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.models.Model;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** OpenAI's own client for Java. */
@Timeout(60)
class OpenAiSdkTest {
    private static TinyChat tiny;
    private static OpenAIClient client;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), TinyChat.options());
        client = OpenAIOkHttpClient.builder()
                .baseUrl(tiny.server.address() + "/v1")
                .apiKey("none")
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void stop() {
        client.close();
        tiny.close();
    }

    private static ChatCompletionCreateParams.Builder ask(String model, int tokens) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .addUserMessage("Hello")
                .maxCompletionTokens(tokens)
                .temperature(0);
    }

    @Test
    void adaptersAreModels() {
        assertThat(client.models().list().data().stream().map(Model::id)).contains("tiny", "poet", "clerk");
    }

    @Test
    void aStreamSaysWhatAWholeAnswerSays() {
        ChatCompletion whole =
                client.chat().completions().create(ask("poet", 12).build());
        ChatCompletionCreateParams streamed = ask("poet", 12)
                .streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build();
        List<ChatCompletionChunk> chunks;
        try (StreamResponse<ChatCompletionChunk> answer =
                client.chat().completions().createStreaming(streamed)) {
            chunks = answer.stream().toList();
        }

        assertThat(whole.choices().get(0).finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.LENGTH);
        assertThat(whole.usage().orElseThrow().completionTokens()).isEqualTo(12);
        assertThat(chunks.stream()
                        .flatMap(chunk -> chunk.choices().stream())
                        .map(choice -> choice.delta().content().orElse(""))
                        .collect(Collectors.joining()))
                .isEqualTo(whole.choices().get(0).message().content().orElseThrow());
        assertThat(chunks.get(chunks.size() - 1).usage().orElseThrow().completionTokens())
                .isEqualTo(12);
    }

    /** What a model is to fill in. */
    static final class Weather {
        enum Mood {
            GLAD,
            SAD
        }

        public boolean hot;
        public Mood mood = Mood.GLAD;
    }

    @Test
    void answersFillInAClass() {
        Weather weather = client.chat()
                .completions()
                .create(ask("poet", 600).responseFormat(Weather.class).build())
                .choices()
                .get(0)
                .message()
                .content()
                .orElseThrow();

        assertThat(weather.mood).isIn(Weather.Mood.GLAD, Weather.Mood.SAD);
    }

    @Test
    void aFunctionIsCalledWithAClass() {
        ChatCompletionCreateParams params = ask("poet", 600)
                .addTool(Weather.class)
                .toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED)
                .build();
        ChatCompletion.Choice choice =
                client.chat().completions().create(params).choices().get(0);
        ChatCompletionMessageFunctionToolCall call =
                choice.message().toolCalls().orElseThrow().get(0).asFunction();

        assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
        assertThat(call.function().arguments(Weather.class).mood).isNotNull();
    }

    @Test
    void promptsAreContinued() {
        String text = client.completions()
                .create(CompletionCreateParams.builder()
                        .model("clerk")
                        .prompt("Hello")
                        .maxTokens(4)
                        .echo(true)
                        .build())
                .choices()
                .get(0)
                .text();

        assertThat(text).startsWith("Hello");
    }

    @Test
    void errorsAreThoseOfTheClient() {
        assertThatThrownBy(() ->
                        client.chat().completions().create(ask("nobody", 3).build()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("nobody");
        assertThatThrownBy(
                        () -> client.chat().completions().create(ask("poet", -1).build()))
                .isInstanceOf(BadRequestException.class);
    }
}
