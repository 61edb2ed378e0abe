package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.chat.completions.ChatCompletionMessageToolCall;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A model's calls of several functions, as OpenAI's own client for Java hears them. */
@Timeout(60)
class StreamedCallsTest {
    private static Reciter reciter;
    private static OpenAIClient client;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        reciter = new Reciter(folder, Reciter.TWO_CALLS);
        client = client(reciter);
    }

    private static OpenAIClient client(Reciter of) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(of.server.address() + "/v1")
                .apiKey("none")
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void stop() {
        client.close();
        reciter.close();
    }

    /** The time in a place. */
    static final class Clock {
        public int zone;
    }

    private static ChatCompletionCreateParams ask(int tokens) {
        return ChatCompletionCreateParams.builder()
                .model("reciter")
                .addUserMessage("When?")
                .addTool(Clock.class)
                .maxCompletionTokens(tokens)
                .temperature(0)
                .build();
    }

    private static List<ChatCompletionChunk> chunks(int tokens) {
        try (StreamResponse<ChatCompletionChunk> answer =
                client.chat().completions().createStreaming(ask(tokens))) {
            return answer.stream().toList();
        }
    }

    private static List<String> calls(ChatCompletionMessage message) {
        return message.toolCalls().orElse(List.of()).stream()
                .map(ChatCompletionMessageToolCall::asFunction)
                .map(call -> call.function().name() + call.function().arguments())
                .toList();
    }

    @Test
    void parallelCallsComeInPiecesBehindTheTextBeforeThem() {
        List<ChatCompletionChunk.Choice.Delta> deltas = chunks(200).stream()
                .map(chunk -> chunk.choices().get(0).delta())
                .toList();
        StringBuilder heard = new StringBuilder();
        int pieces = 0;
        for (ChatCompletionChunk.Choice.Delta delta : deltas) {
            heard.append(delta.content().orElse(""));
            for (ChatCompletionChunk.Choice.Delta.ToolCall call :
                    delta.toolCalls().orElse(List.of())) {
                assertThat(call.id().isPresent())
                        .isEqualTo(call.type().isPresent())
                        .isEqualTo(call.function().orElseThrow().name().isPresent());
                call.function()
                        .orElseThrow()
                        .name()
                        .ifPresent(
                                name -> heard.append('|').append(call.index()).append(name));
                heard.append(call.function().orElseThrow().arguments().orElse(""));
                pieces++;
            }
        }
        assertThat(heard).hasToString("I see.\n|0Clock{\"zone\": 12}|1Clock{\"zone\": 7}");
        assertThat(pieces).as("deltas of calls").isGreaterThan(8);
    }

    @Test
    void aTextEndsBehindItsOnlyCallAndNotWithinIt(@TempDir Path other) throws IOException {
        try (Reciter quoting = new Reciter(other, Reciter.QUOTING_CALLS)) {
            OpenAIClient own = client(quoting);
            ChatCompletion answer = own.chat()
                    .completions()
                    .create(ask(200).toBuilder().parallelToolCalls(false).build());
            ChatCompletion both = own.chat().completions().create(ask(200));
            own.close();

            assertThat(calls(both.choices().get(0).message())).hasSize(2);
            ChatCompletion.Choice choice = answer.choices().get(0);
            assertThat(calls(choice.message())).containsExactly("Clock{\"zone\": \"</tool_call>\"}");
            assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
            assertThat(answer.usage().orElseThrow().completionTokens())
                    .isLessThan(both.usage().orElseThrow().completionTokens() - 20);
        }
    }

    @Test
    void aStreamAddsUpToTheWholeAnswerWhereverItIsCut() {
        int longest = 0;
        for (int tokens = 1; tokens <= 200; tokens += tokens < 12 ? 4 : 9) {
            ChatCompletionAccumulator sum = ChatCompletionAccumulator.create();
            chunks(tokens).forEach(sum::accumulate);
            ChatCompletion.Choice streamed = sum.chatCompletion().choices().get(0);
            ChatCompletion.Choice whole =
                    client.chat().completions().create(ask(tokens)).choices().get(0);

            assertThat(streamed.finishReason()).isEqualTo(whole.finishReason());
            assertThat(streamed.message().content().orElse(""))
                    .isEqualTo(whole.message().content().orElse(""));
            assertThat(calls(streamed.message())).isEqualTo(calls(whole.message()));
            longest = Math.max(longest, calls(whole.message()).size());
        }
        assertThat(longest).isEqualTo(2);
    }
}
