package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.LogitBias;
import dev.graft.serve.LogitsProcessor;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.json.JsonTokens;
import dev.graft.serve.json.Schema;
import dev.graft.serve.tools.AssistantMessage;
import dev.graft.serve.tools.MessageDelta;
import dev.graft.serve.tools.ToolCallParser;
import dev.graft.serve.tools.Tools;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.io.EofException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code /v1/chat/completions} and {@code /v1/completions}, whole or as a stream. */
final class CompletionsRoute implements Route {
    private static final MessageDelta NOTHING = new MessageDelta.TextDelta("");

    private final CompletionApi api;
    private final Engine engine;
    private final Adapters adapters;
    private final Tokenizer tokenizer;
    private final @Nullable Chat chat;
    private @Nullable JsonTokens jsonTokens;

    /** @param chat null for plain texts */
    CompletionsRoute(CompletionApi api, Engine engine, Adapters adapters, Tokenizer tokenizer, @Nullable Chat chat) {
        this.api = api;
        this.engine = engine;
        this.adapters = adapters;
        this.tokenizer = tokenizer;
        this.chat = chat;
    }

    /** An event of one of a request's texts. */
    private sealed interface Event {
        record Prompt(int index, List<TokenLogprob> tokens) implements Event {}

        record NewToken(int index, TokenLogprob token, String text) implements Event {}

        record End(int index, GenerationListener.Result result) implements Event {}

        record Failure(RuntimeException why) implements Event {}

        record Disconnected() implements Event {}
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        CompletionRequest request = CompletionRequest.read(
                fields,
                chat == null ? null : chat.template(),
                exchange.limits(),
                adapters.base().backbone().vocabSize());
        List<int[]> prompts = ApiError.forField(api.promptField, () -> prompts(fields, request, exchange.limits()));
        boolean echo = api == CompletionApi.TEXT && fields.bool("echo", false);
        fields.rejectUnread("It is not supported; leave it out");
        BlockingQueue<Event> events = new LinkedBlockingQueue<>();
        List<RequestHandle> handles = submit(request, prompts, echo && request.logprobs() >= 0, events, exchange);
        Completion completion = new Completion(
                request,
                echo ? prompts.stream().map(ids -> tokenizer.decode(ids, true)).toList() : null,
                handles.size());
        try (ClientWatch watch = exchange.watchClient(() -> events.add(new Event.Disconnected()))) {
            if (request.stream()) {
                stream(exchange, completion, events, watch);
            } else {
                collect(completion, events);
                watch.close();
                writeWhole(exchange, completion);
            }
        } finally {
            handles.forEach(RequestHandle::cancel);
        }
    }

    /** Asks for the texts; their adapter stays in memory until the engine has let go of all of them. */
    private List<RequestHandle> submit(
            CompletionRequest request,
            List<int[]> prompts,
            boolean promptLogprobs,
            BlockingQueue<Event> events,
            Exchange exchange) {
        Adapters.Lease lease = exchange.lease(adapters, request.model());
        try {
            List<GenerationRequest> requests = requests(request, prompts, promptLogprobs, lease.model(), exchange);
            AtomicInteger open = new AtomicInteger(requests.size());
            List<GenerationListener> listeners = new ArrayList<>();
            for (int i = 0; i < requests.size(); i++) {
                listeners.add(listener(i, events, () -> {
                    if (open.decrementAndGet() == 0) {
                        lease.close();
                    }
                }));
            }
            return ApiError.forField(api.promptField, () -> engine.submit(requests, listeners));
        } catch (RuntimeException refused) {
            lease.close();
            throw refused;
        }
    }

    private static GenerationListener listener(int index, BlockingQueue<Event> events, Runnable onRelease) {
        return new GenerationListener() {
            @Override
            public void onPromptTokens(List<TokenLogprob> tokens) {
                events.add(new Event.Prompt(index, tokens));
            }

            @Override
            public void onToken(TokenLogprob token, String text) {
                events.add(new Event.NewToken(index, token, text));
            }

            @Override
            public void onFinish(Result result) {
                events.add(new Event.End(index, result));
            }

            @Override
            public void onError(RuntimeException why) {
                events.add(new Event.Failure(why));
            }

            @Override
            public void onRelease() {
                onRelease.run();
            }
        };
    }

    private List<int[]> prompts(Fields fields, CompletionRequest request, Limits limits) {
        if (chat != null) {
            return List.of(
                    Tools.prompt(chat, Messages.read(fields), request.tools()).ids());
        }
        RequestInput input = RequestInput.read(
                fields,
                api.promptField,
                limits.maxTexts(),
                adapters.base().backbone().vocabSize());
        if (input instanceof RequestInput.Ids known) {
            return known.ids();
        }
        return ((RequestInput.Texts) input)
                .texts().stream()
                        .map(text ->
                                tokenizer.encode(text, EncodeOptions.DEFAULT).ids())
                        .toList();
    }

    private List<GenerationRequest> requests(
            CompletionRequest request,
            List<int[]> prompts,
            boolean promptLogprobs,
            ServedModel model,
            Exchange exchange) {
        int texts = prompts.size() * request.n();
        if (texts > exchange.limits().maxTexts()) {
            throw new ApiError(
                            400,
                            "invalid_request_error",
                            null,
                            "the request asks for " + texts + " texts, at most "
                                    + exchange.limits().maxTexts() + " are allowed")
                    .forField("n");
        }
        List<GenerationRequest> requests = new ArrayList<>();
        for (int[] prompt : prompts) {
            int room = Math.max(1, engine.maxLength() - prompt.length + 1);
            if (prompt.length > engine.maxLength()) {
                throw new ApiError(
                                400,
                                "invalid_request_error",
                                "context_length_exceeded",
                                "the prompt has " + prompt.length + " tokens, the model can take " + engine.maxLength())
                        .forField(api.promptField);
            }
            int usual = api == CompletionApi.CHAT ? Integer.MAX_VALUE : 16;
            int absent = Math.min(usual, exchange.limits().maxNewTokens());
            Integer asked = request.maxTokens();
            int most = Math.min(room, asked == null ? absent : asked);
            for (int copy = 1; copy <= request.n(); copy++) {
                int sampleIndex = copy;
                requests.add(GenerationRequest.of(prompt, request.options().withMaxNewTokens(most), model)
                        .with(settings -> settings.sampleIndex(sampleIndex)
                                .tenant(exchange.tenant())
                                .deadline(System.nanoTime()
                                        + exchange.limits().timeout().toNanos())
                                .logprobs(request.logprobs())
                                .promptLogprobs(promptLogprobs)
                                .logitsProcessor(logitsProcessor(request))
                                .stopCondition(ToolCallParser.stopCondition(request.tools()))));
            }
        }
        return requests;
    }

    private @Nullable LogitsProcessor logitsProcessor(CompletionRequest request) {
        boolean plain =
                request.logitBias().isEmpty() && request.presencePenalty() == 0 && request.frequencyPenalty() == 0;
        LogitsProcessor bias = plain
                ? null
                : new LogitBias(request.logitBias(), request.presencePenalty(), request.frequencyPenalty());
        Schema format = request.jsonSchema();
        Tools tools = request.tools();
        LogitsProcessor json = format != null
                ? jsonTokens().constrain(format)
                : tools != null && tools.isForced() ? jsonTokens().constrainToOneOf(tools.forcedCalls()) : null;
        if (json == null) {
            return bias;
        }
        return bias == null ? json : LogitsProcessor.chain(bias, json);
    }

    /** Made when JSON is first asked for. */
    private synchronized JsonTokens jsonTokens() {
        JsonTokens created = jsonTokens;
        if (created == null) {
            created = JsonTokens.of(tokenizer, engine.endTokens());
            jsonTokens = created;
        }
        return created;
    }

    /** The answer to a request as it grows. */
    private final class Completion {
        final CompletionRequest request;
        final @Nullable List<String> echoes;
        final String id = api.idPrefix + UUID.randomUUID().toString().replace("-", "");
        final long created = System.currentTimeMillis() / 1000;
        final List<List<TokenLogprob>> tokens = new ArrayList<>();
        final List<ToolCallParser> parsers = new ArrayList<>();
        final List<GenerationListener.@Nullable Result> results = new ArrayList<>();
        int remaining;

        Completion(CompletionRequest request, @Nullable List<String> echoes, int count) {
            this.request = request;
            this.echoes = echoes;
            this.remaining = count;
            for (int i = 0; i < count; i++) {
                tokens.add(new ArrayList<>());
                parsers.add(new ToolCallParser(request.tools()));
                results.add(null);
            }
        }

        String echo(int index) {
            return echoes == null ? "" : echoes.get(index / request.n());
        }

        ObjectNode head(String object) {
            ObjectNode body = JsonNodeFactory.instance.objectNode();
            body.put("id", id);
            body.put("object", object);
            body.put("created", created);
            body.put("model", request.model());
            return body;
        }

        void usage(ObjectNode body) {
            int prompt = 0;
            int cached = 0;
            int written = 0;
            for (int i = 0; i < results.size(); i++) {
                GenerationListener.Result result = results.get(i);
                if (result != null) {
                    prompt += i % request.n() == 0 ? result.promptTokens() : 0;
                    cached += i % request.n() == 0 ? result.cachedTokens() : 0;
                    written += result.generated().ids().length;
                }
            }
            ObjectNode usage = body.putObject("usage");
            usage.put("prompt_tokens", prompt);
            usage.put("completion_tokens", written);
            usage.put("total_tokens", prompt + written);
            usage.putObject("prompt_tokens_details").put("cached_tokens", cached);
        }
    }

    private static String finishReason(FinishReason reason, ToolCallParser parser) {
        return reason == FinishReason.LENGTH ? "length" : parser.hasToolCalls() ? "tool_calls" : "stop";
    }

    private static void collect(Completion completion, BlockingQueue<Event> events) throws IOException {
        while (completion.remaining > 0) {
            Event event = next(events);
            if (event instanceof Event.Prompt prompt) {
                completion.tokens.get(prompt.index).addAll(prompt.tokens);
            } else if (event instanceof Event.NewToken next) {
                completion.tokens.get(next.index).add(next.token);
            } else if (event instanceof Event.End end) {
                completion.results.set(end.index, end.result);
                completion.remaining--;
            } else if (event instanceof Event.Failure failure) {
                throw failure.why;
            } else {
                throw new EofException("the client is gone");
            }
        }
    }

    private void writeWhole(Exchange exchange, Completion completion) throws IOException {
        ObjectNode body = completion.head(api.object);
        var choices = body.putArray("choices");
        for (int i = 0; i < completion.results.size(); i++) {
            GenerationListener.Result result = completion.results.get(i);
            if (result == null) {
                throw new IllegalStateException("a text has no end");
            }
            ObjectNode choice = choices.addObject();
            choice.put("index", i);
            ToolCallParser parser = completion.parsers.get(i);
            List<MessageDelta> pieces =
                    parser.append(completion.echo(i) + result.generated().text());
            pieces.addAll(parser.finish());
            api.writeMessage(choice, AssistantMessage.of(pieces));
            if (completion.request.logprobs() >= 0) {
                api.writeLogprobs(choice, completion.tokens.get(i), tokenizer);
            } else {
                choice.putNull("logprobs");
            }
            choice.put("finish_reason", finishReason(result.generated().reason(), parser));
        }
        completion.usage(body);
        exchange.sendJson(200, body);
    }

    private void stream(Exchange exchange, Completion completion, BlockingQueue<Event> events, ClientWatch watch)
            throws IOException {
        boolean begun = false;
        while (completion.remaining > 0) {
            Event event = next(events);
            if (!begun && !(event instanceof Event.Failure) && !(event instanceof Event.Disconnected)) {
                writeFirstChunks(exchange, completion);
                begun = true;
            }
            if (event instanceof Event.Prompt prompt) {
                writeChunk(
                        exchange,
                        completion,
                        prompt.index,
                        new MessageDelta.TextDelta(completion.echo(prompt.index)),
                        prompt.tokens,
                        null);
            } else if (event instanceof Event.NewToken next) {
                writeDeltas(
                        exchange,
                        completion,
                        next.index,
                        completion.parsers.get(next.index).append(next.text),
                        next.token);
            } else if (event instanceof Event.End end) {
                completion.results.set(end.index, end.result);
                completion.remaining--;
                ToolCallParser parser = completion.parsers.get(end.index);
                writeDeltas(exchange, completion, end.index, parser.finish(), null);
                String reason = finishReason(end.result.generated().reason(), parser);
                writeChunk(exchange, completion, end.index, NOTHING, null, reason);
            } else if (event instanceof Event.Failure failure) {
                if (!begun) {
                    throw failure.why;
                }
                exchange.endWithError(ApiError.of(failure.why));
                watch.close();
                exchange.endStream();
                return;
            } else {
                throw new EofException("the client is gone");
            }
        }
        if (completion.request.includeUsage()) {
            ObjectNode last = completion.head(api.chunkObject);
            last.putArray("choices");
            completion.usage(last);
            exchange.sendEvent(Json.compact(last));
        }
        watch.close();
        exchange.sendEvent("[DONE]");
        exchange.endStream();
    }

    /** The first chunk of each text: who speaks, or the prompt where it is to be repeated and has no probabilities. */
    private void writeFirstChunks(Exchange exchange, Completion completion) throws IOException {
        for (int i = 0; i < completion.results.size(); i++) {
            if (api == CompletionApi.CHAT) {
                ObjectNode body = completion.head(api.chunkObject);
                ObjectNode choice = body.putArray("choices").addObject();
                choice.put("index", i);
                ObjectNode delta = choice.putObject("delta");
                delta.put("role", "assistant");
                delta.put("content", "");
                choice.putNull("logprobs");
                choice.putNull("finish_reason");
                if (completion.request.includeUsage()) {
                    body.putNull("usage");
                }
                exchange.sendEvent(Json.compact(body));
            } else if (completion.request.logprobs() < 0 && !completion.echo(i).isEmpty()) {
                writeChunk(exchange, completion, i, new MessageDelta.TextDelta(completion.echo(i)), null, null);
            }
        }
    }

    /** The deltas of one token; a requested probability comes with the first one. */
    private void writeDeltas(
            Exchange exchange,
            Completion completion,
            int index,
            List<MessageDelta> pieces,
            @Nullable TokenLogprob token)
            throws IOException {
        List<TokenLogprob> tokens = token == null || completion.request.logprobs() < 0 ? null : List.of(token);
        for (MessageDelta messageDelta : pieces.isEmpty() && tokens != null ? List.of(NOTHING) : pieces) {
            writeChunk(exchange, completion, index, messageDelta, tokens, null);
            tokens = null;
        }
    }

    private void writeChunk(
            Exchange exchange,
            Completion completion,
            int index,
            MessageDelta messageDelta,
            @Nullable List<TokenLogprob> tokens,
            @Nullable String reason)
            throws IOException {
        ObjectNode body = completion.head(api.chunkObject);
        ObjectNode choice = body.putArray("choices").addObject();
        choice.put("index", index);
        api.writeDelta(choice, messageDelta);
        if (tokens != null) {
            api.writeLogprobs(choice, tokens, tokenizer);
        } else {
            choice.putNull("logprobs");
        }
        choice.put("finish_reason", reason);
        if (completion.request.includeUsage()) {
            body.putNull("usage");
        }
        exchange.sendEvent(Json.compact(body));
    }

    private static Event next(BlockingQueue<Event> events) throws IOException {
        try {
            return events.take();
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", stop);
        }
    }
}
