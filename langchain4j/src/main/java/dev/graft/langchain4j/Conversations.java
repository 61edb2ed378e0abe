package dev.graft.langchain4j;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.Adapters;
import dev.graft.serve.Ask;
import dev.graft.serve.Bias;
import dev.graft.serve.Engine;
import dev.graft.serve.Listener;
import dev.graft.serve.Refused;
import dev.graft.serve.Steering;
import dev.graft.serve.Token;
import dev.graft.serve.json.JsonTokens;
import dev.graft.serve.json.Schema;
import dev.graft.serve.tools.Piece;
import dev.graft.serve.tools.Told;
import dev.graft.serve.tools.ToolText;
import dev.graft.serve.tools.Tools;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.LangChain4jException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.TokenUsage;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** LangChain4j's requests as an engine's texts. */
final class Conversations {
    /** New tokens where a request sets no number. */
    private static final int USUAL_TOKENS = 1024;

    private static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(10);
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Engine engine;
    private final Adapters adapters;
    private final Chat chat;
    private @Nullable JsonTokens jsonTokens;

    Conversations(Engine engine, Adapters adapters, Chat chat) {
        this.engine = engine;
        this.adapters = adapters;
        this.chat = chat;
    }

    static ChatRequestParameters defaults(String model, ChatRequestParameters defaults) {
        return defaults.overrideWith(
                ChatRequestParameters.builder().modelName(model).build());
    }

    /**
     * Asks for an answer.
     *
     * @param piece hears what is certain to come next
     * @param whole hears the whole at the end
     * @param failed hears why there is no answer, in LangChain4j's kinds
     */
    void ask(
            ChatRequest request,
            Consumer<String> piece,
            Consumer<ChatResponse> whole,
            Consumer<RuntimeException> failed) {
        Adapters.@Nullable Lease lease = null;
        try {
            Tools tools = ToolFields.read(request, chat.template());
            List<Message> turns = request.messages().stream().map(Turns::of).toList();
            Encoding prompt = Tools.prompt(chat, turns, tools);
            GenerateOptions options = options(request, prompt.length());
            lease = adapters.lease(request.modelName());
            Ask ask = new Ask(
                    prompt.ids(),
                    options,
                    1,
                    lease.served(),
                    request.modelName(),
                    System.nanoTime() + LONGEST_NANOS,
                    -1,
                    false,
                    steering(request, tools),
                    tools == null ? null : tools.end());
            engine.submit(ask, listener(request.modelName(), new ToolText(tools), lease::close, piece, whole, failed));
        } catch (RuntimeException refused) {
            if (lease != null) {
                lease.close();
            }
            failed.accept(told(refused));
        }
    }

    static Listener listener(
            String model,
            ToolText text,
            Runnable left,
            Consumer<String> piece,
            Consumer<ChatResponse> whole,
            Consumer<RuntimeException> failed) {
        return new Listener() {
            private final List<Piece> pieces = new ArrayList<>();

            @Override
            public void token(Token token, String more) {
                tell(text.take(more));
            }

            private void tell(List<Piece> certain) {
                pieces.addAll(certain);
                for (Piece each : certain) {
                    if (each instanceof Piece.Said said) {
                        piece.accept(said.text());
                    }
                }
            }

            @Override
            public void ended(Ended ended) {
                tell(text.end());
                Told told = Told.of(pieces);
                List<ToolExecutionRequest> calls =
                        told.calls().stream().map(Conversations::request).toList();
                whole.accept(ChatResponse.builder()
                        .aiMessage(
                                calls.isEmpty()
                                        ? AiMessage.from(told.said())
                                        : AiMessage.builder()
                                                .text(told.said().isEmpty() ? null : told.said())
                                                .toolExecutionRequests(calls)
                                                .build())
                        .modelName(model)
                        .tokenUsage(new TokenUsage(
                                ended.promptTokens(), ended.generated().ids().length))
                        .finishReason(reason(ended.generated().reason(), text))
                        .build());
            }

            @Override
            public void failed(RuntimeException why) {
                failed.accept(told(why));
            }

            @Override
            public void left() {
                left.run();
            }
        };
    }

    private static ToolExecutionRequest request(Tools.Call call) {
        return ToolExecutionRequest.builder()
                .id(call.id())
                .name(call.name())
                .arguments(call.arguments())
                .build();
    }

    private static dev.langchain4j.model.output.FinishReason reason(FinishReason reason, ToolText text) {
        if (reason == FinishReason.LENGTH) {
            return dev.langchain4j.model.output.FinishReason.LENGTH;
        }
        return text.endsWithCalls()
                ? dev.langchain4j.model.output.FinishReason.TOOL_EXECUTION
                : dev.langchain4j.model.output.FinishReason.STOP;
    }

    private GenerateOptions options(ChatRequest request, int prompt) {
        int asked = Objects.requireNonNullElse(request.maxOutputTokens(), USUAL_TOKENS);
        return GenerateOptions.DEFAULT
                .sampled(
                        Objects.requireNonNullElse(request.temperature(), 0.0),
                        Objects.requireNonNullElse(request.topP(), 1.0))
                .withTopK(Objects.requireNonNullElse(request.topK(), 0))
                .withSeed(RANDOM.nextLong())
                .withStop(request.stopSequences().toArray(String[]::new))
                .withMaxNewTokens(Math.max(1, Math.min(asked, engine.longest() - prompt + 1)));
    }

    private @Nullable Steering steering(ChatRequest request, @Nullable Tools tools) {
        double presence = Objects.requireNonNullElse(request.presencePenalty(), 0.0);
        double frequency = Objects.requireNonNullElse(request.frequencyPenalty(), 0.0);
        Steering bias = presence == 0 && frequency == 0 ? null : new Bias(Map.of(), presence, frequency);
        ResponseFormat format = request.responseFormat();
        boolean free = format == null || format.type() == ResponseFormatType.TEXT;
        if (!free && tools != null) {
            throw new UnsupportedFeatureException(
                    "a JSON response format and tools can't both be; one of them must go");
        }
        if (free && (tools == null || !tools.areForced())) {
            return bias;
        }
        if (!request.stopSequences().isEmpty()) {
            throw new UnsupportedFeatureException("stopSequences would cut a JSON text; leave them out");
        }
        JsonSchema schema = format == null ? null : format.jsonSchema();
        Steering json = tools != null
                ? jsonTokens().oneOf(tools.forced())
                : jsonTokens().object(schema == null ? Schema.ANY : Schemas.read(schema));
        return bias == null ? json : Steering.both(bias, json);
    }

    private synchronized JsonTokens jsonTokens() {
        JsonTokens made = jsonTokens;
        if (made == null) {
            made = JsonTokens.of(adapters.base().tokenizer(), engine.endTokens());
            jsonTokens = made;
        }
        return made;
    }

    /** A failure in LangChain4j's kinds, which say what is worth trying again. */
    static RuntimeException told(RuntimeException failure) {
        if (failure instanceof LangChain4jException known) {
            return known;
        }
        if (failure instanceof UnknownAdapterException) {
            return new ModelNotFoundException(failure.getMessage(), failure);
        }
        if (failure instanceof InputException) {
            return new InvalidRequestException(failure.getMessage(), failure);
        }
        if (failure instanceof Refused refused) {
            return switch (refused.reason()) {
                case FULL -> new RateLimitException(failure.getMessage(), failure);
                case LATE -> new dev.langchain4j.exception.TimeoutException(failure.getMessage(), failure);
                case STOPPING -> new InternalServerException(failure.getMessage(), failure);
            };
        }
        return failure;
    }
}
