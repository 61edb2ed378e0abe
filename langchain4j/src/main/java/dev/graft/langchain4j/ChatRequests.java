package dev.graft.langchain4j;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.LogitBias;
import dev.graft.serve.LogitsProcessor;
import dev.graft.serve.RejectedException;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.json.JsonTokens;
import dev.graft.serve.json.Schema;
import dev.graft.serve.tools.AssistantMessage;
import dev.graft.serve.tools.MessageDelta;
import dev.graft.serve.tools.ToolCallParser;
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

/** Runs LangChain4j's requests on an engine. */
final class ChatRequests {
    /** New tokens where a request sets no number. */
    private static final int USUAL_TOKENS = 1024;

    private static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(10);
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Engine engine;
    private final Adapters adapters;
    private final Chat chat;
    private @Nullable JsonTokens jsonTokens;

    ChatRequests(Engine engine, Adapters adapters, Chat chat) {
        this.engine = engine;
        this.adapters = adapters;
        this.chat = chat;
    }

    static ChatRequestParameters defaults(String model, ChatRequestParameters defaults) {
        return defaults.overrideWith(
                ChatRequestParameters.builder().modelName(model).build());
    }

    /**
     * Submits a request.
     *
     * @param onText receives the parts of the answer's text
     * @param onComplete receives the complete answer
     * @param onError receives LangChain4j's exception if the request fails
     */
    void submit(
            ChatRequest request,
            Consumer<String> onText,
            Consumer<ChatResponse> onComplete,
            Consumer<RuntimeException> onError) {
        Adapters.@Nullable Lease lease = null;
        try {
            Tools tools = ToolConverter.read(request, chat.template());
            List<Message> turns =
                    request.messages().stream().map(MessageConverter::of).toList();
            Encoding prompt = Tools.prompt(chat, turns, tools);
            GenerateOptions options = options(request, prompt.length());
            lease = adapters.lease(request.modelName());
            GenerationRequest generation = GenerationRequest.of(prompt.ids(), options, lease.model())
                    .with(settings -> settings.tenant(request.modelName())
                            .deadline(System.nanoTime() + LONGEST_NANOS)
                            .logitsProcessor(logitsProcessor(request, tools))
                            .stopCondition(ToolCallParser.stopCondition(tools)));
            engine.submit(
                    generation,
                    listener(
                            request.modelName(), new ToolCallParser(tools), lease::close, onText, onComplete, onError));
        } catch (RuntimeException refused) {
            if (lease != null) {
                lease.close();
            }
            onError.accept(mapException(refused));
        }
    }

    static GenerationListener listener(
            String model,
            ToolCallParser parser,
            Runnable onRelease,
            Consumer<String> onText,
            Consumer<ChatResponse> onComplete,
            Consumer<RuntimeException> onError) {
        return new GenerationListener() {
            private final List<MessageDelta> pieces = new ArrayList<>();

            @Override
            public void onToken(TokenLogprob token, String more) {
                tell(parser.append(more));
            }

            private void tell(List<MessageDelta> certain) {
                pieces.addAll(certain);
                for (MessageDelta each : certain) {
                    if (each instanceof MessageDelta.TextDelta content) {
                        onText.accept(content.text());
                    }
                }
            }

            @Override
            public void onFinish(Result result) {
                tell(parser.finish());
                AssistantMessage assistantMessage = AssistantMessage.of(pieces);
                List<ToolExecutionRequest> calls = assistantMessage.toolCalls().stream()
                        .map(ChatRequests::request)
                        .toList();
                onComplete.accept(ChatResponse.builder()
                        .aiMessage(
                                calls.isEmpty()
                                        ? AiMessage.from(assistantMessage.content())
                                        : AiMessage.builder()
                                                .text(
                                                        assistantMessage
                                                                        .content()
                                                                        .isEmpty()
                                                                ? null
                                                                : assistantMessage.content())
                                                .toolExecutionRequests(calls)
                                                .build())
                        .modelName(model)
                        .tokenUsage(new TokenUsage(
                                result.promptTokens(), result.generated().ids().length))
                        .finishReason(reason(result.generated().reason(), parser))
                        .build());
            }

            @Override
            public void onError(RuntimeException why) {
                onError.accept(mapException(why));
            }

            @Override
            public void onRelease() {
                onRelease.run();
            }
        };
    }

    private static ToolExecutionRequest request(Tools.ToolCall call) {
        return ToolExecutionRequest.builder()
                .id(call.id())
                .name(call.name())
                .arguments(call.arguments())
                .build();
    }

    private static dev.langchain4j.model.output.FinishReason reason(FinishReason reason, ToolCallParser parser) {
        if (reason == FinishReason.LENGTH) {
            return dev.langchain4j.model.output.FinishReason.LENGTH;
        }
        return parser.hasToolCalls()
                ? dev.langchain4j.model.output.FinishReason.TOOL_EXECUTION
                : dev.langchain4j.model.output.FinishReason.STOP;
    }

    private GenerateOptions options(ChatRequest request, int prompt) {
        int asked = Objects.requireNonNullElse(request.maxOutputTokens(), USUAL_TOKENS);
        return GenerateOptions.DEFAULT
                .withTemperature(Objects.requireNonNullElse(request.temperature(), 0.0))
                .withTopP(Objects.requireNonNullElse(request.topP(), 1.0))
                .withTopK(Objects.requireNonNullElse(request.topK(), 0))
                .withSeed(RANDOM.nextLong())
                .withStop(request.stopSequences().toArray(String[]::new))
                .withMaxNewTokens(Math.max(1, Math.min(asked, engine.maxLength() - prompt + 1)));
    }

    private @Nullable LogitsProcessor logitsProcessor(ChatRequest request, @Nullable Tools tools) {
        double presence = Objects.requireNonNullElse(request.presencePenalty(), 0.0);
        double frequency = Objects.requireNonNullElse(request.frequencyPenalty(), 0.0);
        LogitsProcessor bias = presence == 0 && frequency == 0 ? null : new LogitBias(Map.of(), presence, frequency);
        ResponseFormat format = request.responseFormat();
        boolean free = format == null || format.type() == ResponseFormatType.TEXT;
        if (!free && tools != null) {
            throw new UnsupportedFeatureException(
                    "a JSON response format and tools can't both be; one of them must go");
        }
        if (free && (tools == null || !tools.isForced())) {
            return bias;
        }
        if (!request.stopSequences().isEmpty()) {
            throw new UnsupportedFeatureException("stopSequences would cut a JSON text; leave them out");
        }
        JsonSchema schema = format == null ? null : format.jsonSchema();
        LogitsProcessor json = tools != null
                ? jsonTokens().constrainToOneOf(tools.forcedCalls())
                : jsonTokens().constrain(schema == null ? Schema.ANY : SchemaConverter.read(schema));
        return bias == null ? json : LogitsProcessor.chain(bias, json);
    }

    private synchronized JsonTokens jsonTokens() {
        JsonTokens created = jsonTokens;
        if (created == null) {
            created = JsonTokens.of(adapters.base().tokenizer(), engine.endTokens());
            jsonTokens = created;
        }
        return created;
    }

    /** Converts a failure to LangChain4j's exceptions, which tell whether a retry makes sense. */
    static RuntimeException mapException(RuntimeException failure) {
        if (failure instanceof LangChain4jException known) {
            return known;
        }
        if (failure instanceof UnknownAdapterException) {
            return new ModelNotFoundException(failure.getMessage(), failure);
        }
        if (failure instanceof InputException) {
            return new InvalidRequestException(failure.getMessage(), failure);
        }
        if (failure instanceof RejectedException rejected) {
            return switch (rejected.reason()) {
                case FULL -> new RateLimitException(failure.getMessage(), failure);
                case LATE -> new dev.langchain4j.exception.TimeoutException(failure.getMessage(), failure);
                case STOPPING -> new InternalServerException(failure.getMessage(), failure);
            };
        }
        return failure;
    }
}
