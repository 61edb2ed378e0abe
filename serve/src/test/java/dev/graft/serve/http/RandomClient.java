package dev.graft.serve.http;

import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;

/**
 * One of many clients: it asks at random, streamed or not, hangs up in the middle, sends what is no request, and writes down whatever isn't
 * as it must be.
 */
final class RandomClient implements Runnable {
    private static final List<Question> QUESTIONS = List.of(Question.values());
    private static final List<Bad> BAD = List.of(
            new Bad("/v1/chat/completions", "{", 400),
            new Bad("/v1/chat/completions", "{\"model\": \"a1\", \"messages\": []}", 400),
            new Bad("/v1/chat/completions", Question.GREEDY.body("../model", false), 404),
            new Bad("/v1/chat/completions", Question.GREEDY.body("a0@77", true), 404),
            new Bad("/v1/completions", "{\"model\": \"a1\", \"prompt\": \"a\", \"n\": 1000000000}", 400),
            new Bad("/v1/completions", "{\"model\": \"a1\", \"prompt\": [[99999]]}", 400),
            new Bad("/v1/completions", "{\"model\": \"a1\", \"prompt\": \"" + "a b ".repeat(2000) + "\"}", 400),
            new Bad("/v1/load_lora_adapter", "{\"lora_name\": \"x\", \"lora_path\": \"/etc\"}", 404),
            new Bad("/v1/unload_lora_adapter", "{\"lora_name\": \"nobody\"}", 404),
            new Bad("/v1/nothing", "{}", 404));

    private final URI server;
    private final Client client;
    private final Random random;
    private final Work work;

    /** What is sent amiss, and the answer that it must have. */
    private record Bad(String path, String body, int status) {}

    /** A question to a model. */
    record ModelQuestion(String model, Question question) {}

    /** What an answer may be: whole, and its texts alone. */
    record Answer(String whole, List<String> texts) {}

    /**
     * What all callers share.
     *
     * @param answers what each question may be answered with: more than one where the model's version changes
     * @param wrong what was wrong
     * @param counts how often each kind of thing happened
     */
    record Work(
            List<String> models,
            Map<ModelQuestion, Set<Answer>> answers,
            Set<String> wrong,
            Map<String, LongAdder> counts,
            BooleanSupplier goesOn,
            BooleanSupplier closing) {
        void count(String what) {
            counts.computeIfAbsent(what, w -> new LongAdder()).increment();
        }

        private void wrong(String what) {
            if (wrong.size() < 20) {
                wrong.add(what);
            }
        }
    }

    RandomClient(URI server, long seed, Work work) {
        this.server = server;
        this.client = new Client(server);
        this.random = new Random(seed);
        this.work = work;
    }

    static Map<String, LongAdder> counts() {
        return new ConcurrentHashMap<>();
    }

    @Override
    public void run() {
        while (work.goesOn.getAsBoolean()) {
            int what = random.nextInt(20);
            try {
                if (what < 2) {
                    hangUp();
                } else if (what < 4) {
                    sendAmiss();
                } else if (what == 4) {
                    look();
                } else {
                    ask();
                }
            } catch (IOException | AssertionError broken) {
                if (!work.closing.getAsBoolean()) {
                    work.wrong("no answer: " + broken);
                }
                return;
            }
        }
    }

    private void ask() {
        String model = work.models.get(random.nextInt(work.models.size()));
        Question question = QUESTIONS.get(random.nextInt(QUESTIONS.size()));
        boolean stream = random.nextBoolean();
        Client.Reply reply = client.post(question.path, question.body(model, stream));
        if (isBusy(reply)) {
            return;
        }
        Set<Answer> may = work.answers.get(new ModelQuestion(model, question));
        if (may == null) {
            work.wrong(model + " has no answers");
        } else if (reply.status() != 200) {
            work.wrong(reply.status() + " for " + question + " to " + model + ": " + reply.body());
        } else if (stream) {
            List<String> texts = Question.streamed(reply);
            if (may.stream().noneMatch(answer -> answer.texts.equals(texts))) {
                work.wrong(model + " " + question + " streamed " + texts + ", expected one of " + may);
            }
            work.count("streams");
        } else {
            String whole = Question.whole(reply);
            if (may.stream().noneMatch(answer -> answer.whole.equals(whole))) {
                work.wrong(model + " " + question + " " + whole + ", expected one of " + may);
            }
            work.count("answers");
        }
    }

    /** Whether the server can't answer now and says so as it must. */
    private boolean isBusy(Client.Reply reply) {
        if (reply.status() == 429) {
            work.count("429");
            if (reply.response().headers().firstValue("Retry-After").isEmpty()) {
                work.wrong("429 without Retry-After");
            }
            pause(50 + random.nextInt(100));
            return true;
        }
        return work.closing.getAsBoolean() && reply.status() == 503;
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    /** Asks for much and goes away: at once, or after a part of the answer. */
    private void hangUp() throws IOException {
        String model = work.models.get(random.nextInt(work.models.size()));
        String body = "{\"model\": \"" + model + "\", \"prompt\": \"Hello\", \"max_tokens\": 400, \"ignore_eos\": true,"
                + " \"stream\": " + random.nextBoolean() + "}";
        try (Socket socket = new Socket(server.getHost(), server.getPort())) {
            socket.setSoTimeout(200);
            if (random.nextInt(4) == 0) {
                socket.setSoLinger(true, 0);
            }
            String head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: " + body.length() + "\r\n\r\n";
            int sent = random.nextInt(3) == 0 ? random.nextInt(body.length()) : body.length();
            socket.getOutputStream().write((head + body.substring(0, sent)).getBytes(StandardCharsets.UTF_8));
            if (random.nextBoolean()) {
                readSome(socket);
            }
        }
        work.count("hang-ups");
    }

    private void readSome(Socket socket) throws IOException {
        try {
            socket.getInputStream().readNBytes(1 + random.nextInt(600));
        } catch (java.net.SocketTimeoutException nothingYet) {
            work.count("hang-ups before a word");
        }
    }

    private void sendAmiss() {
        Bad bad = BAD.get(random.nextInt(BAD.size()));
        Client.Reply reply = client.post(bad.path, bad.body);
        if (!isBusy(reply) && reply.status() != bad.status) {
            work.wrong(reply.status() + " for " + bad + ": " + reply.body());
        }
        work.count("bad requests");
    }

    private void look() {
        List<String> paths = new ArrayList<>(List.of("/health", "/metrics", "/v1/models", "/lora-adapters", "/"));
        String path = paths.get(random.nextInt(paths.size()));
        Client.Reply reply = client.get(path);
        if (reply.status() != 200 && !isBusy(reply)) {
            work.wrong(reply.status() + " for GET " + path);
        }
        work.count("looks");
    }
}
