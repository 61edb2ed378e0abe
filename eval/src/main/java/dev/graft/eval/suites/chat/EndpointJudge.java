package dev.graft.eval.suites.chat;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Message;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A judge model behind an endpoint with OpenAI's chat completions API, with MT-Bench's prompts. */
public final class EndpointJudge implements Judge {
    private static final Pattern RATING = Pattern.compile("\\[\\[?([0-9]+(?:\\.[0-9]+)?)]]?");
    private static final Duration LONGEST = Duration.ofMinutes(5);
    private static final int TOKENS = 2048;
    private static final double MOST = 10;

    private final URI endpoint;
    private final String model;
    private final @Nullable String key;
    private final JudgePrompts prompts;
    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    /**
     * Creates a judge.
     *
     * @param base the URL of the API, such as {@code http://localhost:8080/v1}
     * @param model the name of the model
     * @param key the bearer token; null for none
     * @param folder the folder with {@code judge_prompts.jsonl}
     */
    public EndpointJudge(String base, String model, @Nullable String key, Path folder) {
        this.endpoint = endpoint(base);
        this.model = model;
        this.key = key;
        this.prompts = JudgePrompts.read(folder);
    }

    private static URI endpoint(String base) {
        try {
            return URI.create(base.replaceAll("/+$", "") + "/chat/completions");
        } catch (IllegalArgumentException e) {
            throw new InputException("the judge is " + base + ", expected a URL such as http://localhost:8080/v1", e);
        }
    }

    @Override
    public String name() {
        return "model " + model + " at " + endpoint;
    }

    @Override
    public Judgement<Double> rate(MtQuestion question, int turn, List<String> answers) {
        Map<String, String> values = asked(question, turn);
        values.put("answer", answers.get(turn));
        for (int i = 0; i <= turn; i++) {
            values.put("answer_" + (i + 1), answers.get(i));
        }
        return rating(ask(prompts.filled(prompt(question, turn, "single-v1", "single-math-v1"), values)));
    }

    @Override
    public Judgement<Winner> compare(
            MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped) {
        Map<String, String> values = asked(question, turn);
        values.put("answer_a", first.get(turn));
        values.put("answer_b", second.get(turn));
        for (int i = 0; i <= turn; i++) {
            values.put("answer_a_" + (i + 1), first.get(i));
            values.put("answer_b_" + (i + 1), second.get(i));
        }
        return winner(ask(prompts.filled(prompt(question, turn, "pair-v2", "pair-math-v1"), values)));
    }

    private static String prompt(MtQuestion question, int turn, String usual, String referred) {
        return (question.usesReference() ? referred : usual) + (turn == 0 ? "" : "-multi-turn");
    }

    private static Map<String, String> asked(MtQuestion question, int turn) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("question", question.turns().get(turn));
        for (int i = 0; i <= turn; i++) {
            values.put("question_" + (i + 1), question.turns().get(i));
            if (question.usesReference()) {
                values.put("ref_answer_" + (i + 1), question.references().get(i));
            }
        }
        return values;
    }

    /** The first number in double brackets, or in single ones; unreadable without one from 1 to 10. */
    static Judgement<Double> rating(String text) {
        Matcher found = RATING.matcher(text);
        if (!found.find()) {
            return Judgement.unreadable();
        }
        double rating = Double.parseDouble(found.group(1));
        return rating >= 1 && rating <= MOST ? Judgement.of(rating) : Judgement.unreadable();
    }

    /** The verdict in double brackets; unreadable without exactly one. */
    static Judgement<Winner> winner(String text) {
        Map<String, Winner> verdicts = Map.of("[[A]]", Winner.FIRST, "[[B]]", Winner.SECOND, "[[C]]", Winner.TIE);
        List<Winner> said = verdicts.entrySet().stream()
                .filter(verdict -> text.contains(verdict.getKey()))
                .map(Map.Entry::getValue)
                .toList();
        return said.size() == 1 ? Judgement.of(said.get(0)) : Judgement.unreadable();
    }

    private String ask(List<Message> messages) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("model", model).put("temperature", 0).put("max_tokens", TOKENS);
        ArrayNode list = body.putArray("messages");
        messages.forEach(message -> list.addObject().put("role", message.role()).put("content", message.content()));
        HttpRequest.Builder request = HttpRequest.newBuilder(endpoint)
                .timeout(LONGEST)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(Json.compact(body)));
        if (key != null) {
            request.header("Authorization", "Bearer " + key);
        }
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new InputException("the judge at " + endpoint + " answers with status " + response.statusCode()
                        + ", expected 200: " + response.body().strip());
            }
            JsonNode said = Json.parse(endpoint.toString(), response.body()).at("/choices/0/message/content");
            if (!said.isString()) {
                throw new FormatException(
                        endpoint.toString(), "answers without choices[0].message.content, expected a text", null);
            }
            return said.stringValue();
        } catch (IOException e) {
            throw new InputException("the judge at " + endpoint + " can't be reached: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InputException("interrupted while the judge at " + endpoint + " was asked", e);
        }
    }
}
