package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.generate.FinishReason;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.Adapters;
import dev.graft.serve.Ask;
import dev.graft.serve.Bias;
import dev.graft.serve.Engine;
import dev.graft.serve.Listener;
import dev.graft.serve.Served;
import dev.graft.serve.Steering;
import dev.graft.serve.Ticket;
import dev.graft.serve.Token;
import dev.graft.serve.json.JsonTokens;
import dev.graft.serve.json.Schema;
import dev.graft.serve.tools.Piece;
import dev.graft.serve.tools.Told;
import dev.graft.serve.tools.ToolText;
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
final class Texts implements Route {
    private static final Piece NOTHING = new Piece.Said("");

    private final Shape shape;
    private final Engine engine;
    private final Adapters adapters;
    private final Tokenizer tokenizer;
    private final @Nullable Chat chat;
    private @Nullable JsonTokens jsonTokens;

    /** @param chat null for plain texts */
    Texts(Shape shape, Engine engine, Adapters adapters, Tokenizer tokenizer, @Nullable Chat chat) {
        this.shape = shape;
        this.engine = engine;
        this.adapters = adapters;
        this.tokenizer = tokenizer;
        this.chat = chat;
    }

    /** What happens to one of a request's texts. */
    private sealed interface Event {
        record Prompt(int index, List<Token> tokens) implements Event {}

        record Next(int index, Token token, String text) implements Event {}

        record End(int index, Listener.Ended ended) implements Event {}

        record Failure(RuntimeException why) implements Event {}

        record Gone() implements Event {}
    }

    @Override
    public void answer(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        TextRequest request = TextRequest.read(
                fields,
                chat == null ? null : chat.template(),
                exchange.limits(),
                adapters.base().backbone().vocabSize());
        List<int[]> prompts = ApiError.about(shape.input, () -> prompts(fields, request, exchange.limits()));
        boolean echo = shape == Shape.TEXT && fields.bool("echo", false);
        fields.refuseUnread("It is not supported; leave it out");
        BlockingQueue<Event> events = new LinkedBlockingQueue<>();
        List<Ticket> tickets = submit(request, prompts, echo && request.logprobs() >= 0, events, exchange);
        Answer answer = new Answer(
                request,
                echo ? prompts.stream().map(ids -> tokenizer.decode(ids, true)).toList() : null,
                tickets.size());
        try (ClientWatch watch = exchange.watch(() -> events.add(new Event.Gone()))) {
            if (request.stream()) {
                stream(exchange, answer, events, watch);
            } else {
                collect(answer, events);
                watch.close();
                whole(exchange, answer);
            }
        } finally {
            tickets.forEach(Ticket::cancel);
        }
    }

    /** Asks for the texts; their adapter stays in memory until the engine has let go of all of them. */
    private List<Ticket> submit(
            TextRequest request,
            List<int[]> prompts,
            boolean promptsToo,
            BlockingQueue<Event> events,
            Exchange exchange) {
        Adapters.Lease lease = exchange.lease(adapters, request.model());
        try {
            List<Ask> asks = asks(request, prompts, promptsToo, lease.served(), exchange);
            AtomicInteger open = new AtomicInteger(asks.size());
            List<Listener> listeners = new ArrayList<>();
            for (int i = 0; i < asks.size(); i++) {
                listeners.add(listener(i, events, () -> {
                    if (open.decrementAndGet() == 0) {
                        lease.close();
                    }
                }));
            }
            return ApiError.about(shape.input, () -> engine.submit(asks, listeners));
        } catch (RuntimeException refused) {
            lease.close();
            throw refused;
        }
    }

    private static Listener listener(int index, BlockingQueue<Event> events, Runnable left) {
        return new Listener() {
            @Override
            public void prompt(List<Token> tokens) {
                events.add(new Event.Prompt(index, tokens));
            }

            @Override
            public void token(Token token, String text) {
                events.add(new Event.Next(index, token, text));
            }

            @Override
            public void ended(Ended ended) {
                events.add(new Event.End(index, ended));
            }

            @Override
            public void failed(RuntimeException why) {
                events.add(new Event.Failure(why));
            }

            @Override
            public void left() {
                left.run();
            }
        };
    }

    private List<int[]> prompts(Fields fields, TextRequest request, Limits limits) {
        if (chat != null) {
            return List.of(
                    Tools.prompt(chat, Messages.read(fields), request.tools()).ids());
        }
        Input input = Input.read(
                fields, shape.input, limits.texts(), adapters.base().backbone().vocabSize());
        if (input instanceof Input.Ids known) {
            return known.ids();
        }
        return ((Input.Texts) input)
                .texts().stream()
                        .map(text ->
                                tokenizer.encode(text, EncodeOptions.DEFAULT).ids())
                        .toList();
    }

    private List<Ask> asks(
            TextRequest request, List<int[]> prompts, boolean promptsToo, Served served, Exchange exchange) {
        int texts = prompts.size() * request.n();
        if (texts > exchange.limits().texts()) {
            throw new ApiError(
                            400,
                            "invalid_request_error",
                            null,
                            "the request asks for " + texts + " texts, at most "
                                    + exchange.limits().texts() + " are allowed")
                    .about("n");
        }
        List<Ask> asks = new ArrayList<>();
        for (int[] prompt : prompts) {
            int room = Math.max(1, engine.longest() - prompt.length + 1);
            if (prompt.length > engine.longest()) {
                throw new ApiError(
                                400,
                                "invalid_request_error",
                                "context_length_exceeded",
                                "the prompt has " + prompt.length + " tokens, the model can take " + engine.longest())
                        .about(shape.input);
            }
            int usual = shape == Shape.CHAT ? Integer.MAX_VALUE : 16;
            int absent = Math.min(usual, exchange.limits().newTokens());
            Integer asked = request.maxTokens();
            int most = Math.min(room, asked == null ? absent : asked);
            for (int copy = 1; copy <= request.n(); copy++) {
                Tools tools = request.tools();
                asks.add(new Ask(
                        prompt,
                        request.options().withMaxNewTokens(most),
                        copy,
                        served,
                        exchange.tenant(),
                        System.nanoTime() + exchange.limits().time().toNanos(),
                        request.logprobs(),
                        promptsToo,
                        steering(request),
                        tools == null ? null : tools.end()));
            }
        }
        return asks;
    }

    private @Nullable Steering steering(TextRequest request) {
        boolean plain = request.bias().isEmpty() && request.presence() == 0 && request.frequency() == 0;
        Steering bias = plain ? null : new Bias(request.bias(), request.presence(), request.frequency());
        Schema format = request.json();
        Tools tools = request.tools();
        Steering json = format != null
                ? jsonTokens().object(format)
                : tools != null && tools.areForced() ? jsonTokens().oneOf(tools.forced()) : null;
        if (json == null) {
            return bias;
        }
        return bias == null ? json : Steering.both(bias, json);
    }

    /** Made when JSON is first asked for. */
    private synchronized JsonTokens jsonTokens() {
        JsonTokens made = jsonTokens;
        if (made == null) {
            made = JsonTokens.of(tokenizer, engine.endTokens());
            jsonTokens = made;
        }
        return made;
    }

    /** The answer to a request as it grows. */
    private final class Answer {
        final TextRequest request;
        final @Nullable List<String> echoes;
        final String id = shape.prefix + UUID.randomUUID().toString().replace("-", "");
        final long created = System.currentTimeMillis() / 1000;
        final List<List<Token>> tokens = new ArrayList<>();
        final List<ToolText> texts = new ArrayList<>();
        final List<Listener.@Nullable Ended> ends = new ArrayList<>();
        int open;

        Answer(TextRequest request, @Nullable List<String> echoes, int count) {
            this.request = request;
            this.echoes = echoes;
            this.open = count;
            for (int i = 0; i < count; i++) {
                tokens.add(new ArrayList<>());
                texts.add(new ToolText(request.tools()));
                ends.add(null);
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
            for (int i = 0; i < ends.size(); i++) {
                Listener.Ended end = ends.get(i);
                if (end != null) {
                    prompt += i % request.n() == 0 ? end.promptTokens() : 0;
                    cached += i % request.n() == 0 ? end.cachedTokens() : 0;
                    written += end.generated().ids().length;
                }
            }
            ObjectNode usage = body.putObject("usage");
            usage.put("prompt_tokens", prompt);
            usage.put("completion_tokens", written);
            usage.put("total_tokens", prompt + written);
            usage.putObject("prompt_tokens_details").put("cached_tokens", cached);
        }
    }

    private static String reason(FinishReason reason, ToolText text) {
        return reason == FinishReason.LENGTH ? "length" : text.endsWithCalls() ? "tool_calls" : "stop";
    }

    private static void collect(Answer answer, BlockingQueue<Event> events) throws IOException {
        while (answer.open > 0) {
            Event event = next(events);
            if (event instanceof Event.Prompt prompt) {
                answer.tokens.get(prompt.index).addAll(prompt.tokens);
            } else if (event instanceof Event.Next next) {
                answer.tokens.get(next.index).add(next.token);
            } else if (event instanceof Event.End end) {
                answer.ends.set(end.index, end.ended);
                answer.open--;
            } else if (event instanceof Event.Failure failure) {
                throw failure.why;
            } else {
                throw new EofException("the client is gone");
            }
        }
    }

    private void whole(Exchange exchange, Answer answer) throws IOException {
        ObjectNode body = answer.head(shape.object);
        var choices = body.putArray("choices");
        for (int i = 0; i < answer.ends.size(); i++) {
            Listener.Ended end = answer.ends.get(i);
            if (end == null) {
                throw new IllegalStateException("a text has no end");
            }
            ObjectNode choice = choices.addObject();
            choice.put("index", i);
            ToolText text = answer.texts.get(i);
            List<Piece> pieces = text.take(answer.echo(i) + end.generated().text());
            pieces.addAll(text.end());
            shape.whole(choice, Told.of(pieces));
            if (answer.request.logprobs() >= 0) {
                shape.logprobs(choice, answer.tokens.get(i), tokenizer);
            } else {
                choice.putNull("logprobs");
            }
            choice.put("finish_reason", reason(end.generated().reason(), text));
        }
        answer.usage(body);
        exchange.json(200, body);
    }

    private void stream(Exchange exchange, Answer answer, BlockingQueue<Event> events, ClientWatch watch)
            throws IOException {
        boolean begun = false;
        while (answer.open > 0) {
            Event event = next(events);
            if (!begun && !(event instanceof Event.Failure) && !(event instanceof Event.Gone)) {
                begin(exchange, answer);
                begun = true;
            }
            if (event instanceof Event.Prompt prompt) {
                chunk(exchange, answer, prompt.index, new Piece.Said(answer.echo(prompt.index)), prompt.tokens, null);
            } else if (event instanceof Event.Next next) {
                pieces(
                        exchange,
                        answer,
                        next.index,
                        answer.texts.get(next.index).take(next.text),
                        next.token);
            } else if (event instanceof Event.End end) {
                answer.ends.set(end.index, end.ended);
                answer.open--;
                ToolText text = answer.texts.get(end.index);
                pieces(exchange, answer, end.index, text.end(), null);
                String reason = reason(end.ended.generated().reason(), text);
                chunk(exchange, answer, end.index, NOTHING, null, reason);
            } else if (event instanceof Event.Failure failure) {
                if (!begun) {
                    throw failure.why;
                }
                exchange.breakOff(ApiError.of(failure.why));
                watch.close();
                exchange.end();
                return;
            } else {
                throw new EofException("the client is gone");
            }
        }
        if (answer.request.usage()) {
            ObjectNode last = answer.head(shape.chunk);
            last.putArray("choices");
            answer.usage(last);
            exchange.event(Json.compact(last));
        }
        watch.close();
        exchange.event("[DONE]");
        exchange.end();
    }

    /** The first chunk of each text: who speaks, or the prompt where it is to be repeated and has no probabilities. */
    private void begin(Exchange exchange, Answer answer) throws IOException {
        for (int i = 0; i < answer.ends.size(); i++) {
            if (shape == Shape.CHAT) {
                ObjectNode body = answer.head(shape.chunk);
                ObjectNode choice = body.putArray("choices").addObject();
                choice.put("index", i);
                ObjectNode delta = choice.putObject("delta");
                delta.put("role", "assistant");
                delta.put("content", "");
                choice.putNull("logprobs");
                choice.putNull("finish_reason");
                if (answer.request.usage()) {
                    body.putNull("usage");
                }
                exchange.event(Json.compact(body));
            } else if (answer.request.logprobs() < 0 && !answer.echo(i).isEmpty()) {
                chunk(exchange, answer, i, new Piece.Said(answer.echo(i)), null, null);
            }
        }
    }

    /** What a token told; its probability, where it is wanted, comes with the first piece. */
    private void pieces(Exchange exchange, Answer answer, int index, List<Piece> pieces, @Nullable Token token)
            throws IOException {
        List<Token> tokens = token == null || answer.request.logprobs() < 0 ? null : List.of(token);
        for (Piece piece : pieces.isEmpty() && tokens != null ? List.of(NOTHING) : pieces) {
            chunk(exchange, answer, index, piece, tokens, null);
            tokens = null;
        }
    }

    private void chunk(
            Exchange exchange,
            Answer answer,
            int index,
            Piece piece,
            @Nullable List<Token> tokens,
            @Nullable String reason)
            throws IOException {
        ObjectNode body = answer.head(shape.chunk);
        ObjectNode choice = body.putArray("choices").addObject();
        choice.put("index", index);
        shape.piece(choice, piece);
        if (tokens != null) {
            shape.logprobs(choice, tokens, tokenizer);
        } else {
            choice.putNull("logprobs");
        }
        choice.put("finish_reason", reason);
        if (answer.request.usage()) {
            body.putNull("usage");
        }
        exchange.event(Json.compact(body));
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
