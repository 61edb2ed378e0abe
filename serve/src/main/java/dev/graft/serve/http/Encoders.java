package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Answers;
import dev.graft.serve.Adapters;
import dev.graft.serve.EncoderAsk;
import dev.graft.serve.EncoderEngine;
import dev.graft.serve.EncoderListener;
import dev.graft.serve.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.eclipse.jetty.io.EofException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code /v1/embeddings}, {@code /v1/classify} and {@code /v1/token_classify}: what a model that reads whole texts gives for them.
 */
final class Encoders implements Route {
    private static final int MOST_INPUTS = 2048;

    private final EncoderEngine engine;
    private final Adapters adapters;
    private final Tokenizer tokenizer;
    private final Kind kind;

    /** What is asked of a text. */
    enum Kind {
        /** The mean of its hidden states, of length 1. */
        EMBEDDING,
        /** Its label. */
        LABEL,
        /** A label for each token. */
        TOKEN_LABELS;

        /** What the head of a base gives that reads whole texts. */
        static Kind of(Task task) {
            return switch (task) {
                case FEATURE_EXTRACTION, MASKED_LM -> EMBEDDING;
                case SEQ_CLS -> LABEL;
                case TOKEN_CLS -> TOKEN_LABELS;
                default -> throw new IllegalArgumentException("no whole texts are read for " + task);
            };
        }

        String path() {
            return switch (this) {
                case EMBEDDING -> "/v1/embeddings";
                case LABEL -> "/v1/classify";
                case TOKEN_LABELS -> "/v1/token_classify";
            };
        }
    }

    Encoders(Kind kind, EncoderEngine engine, Adapters adapters, Tokenizer tokenizer) {
        this.kind = kind;
        this.engine = engine;
        this.adapters = adapters;
        this.tokenizer = tokenizer;
    }

    @Override
    public void answer(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        String model = fields.string("model");
        boolean base64 = false;
        if (kind == Kind.EMBEDDING) {
            base64 =
                    fields.choice("encoding_format", "float", "float", "base64").equals("base64");
            Integer dimensions = fields.integerOrNull("dimensions");
            if (dimensions != null && dimensions != adapters.base().backbone().outputSize()) {
                throw fields.refused(
                        "dimensions",
                        "is " + dimensions + ", the model has "
                                + adapters.base().backbone().outputSize() + " and they can't be cut");
            }
        }
        List<Encoding> texts = texts(fields);
        fields.stringOrNull("user");
        fields.refuseUnread("It is not supported; leave it out");
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("id", UUID.randomUUID().toString());
        body.put("object", "list");
        body.put("created", System.currentTimeMillis() / 1000);
        body.put("model", model);
        ArrayNode data = body.putArray("data");
        Read read = read(exchange, model, texts);
        int tokens = 0;
        for (int i = 0; i < read.answers.size(); i++) {
            fill(data.addObject().put("index", i), texts.get(i), read.answers.get(i), read.classes, base64);
            tokens += texts.get(i).length();
        }
        ObjectNode usage = body.putObject("usage");
        usage.put("prompt_tokens", tokens);
        usage.put("total_tokens", tokens);
        exchange.json(200, body);
    }

    private List<Encoding> texts(Fields fields) {
        int most = Math.min(MOST_INPUTS, engine.most());
        Input input = kind == Kind.EMBEDDING
                ? Input.read(fields, "input", most, adapters.base().backbone().vocabSize())
                : Input.texts(fields, "input", most);
        List<Encoding> encodings = input instanceof Input.Texts texts
                ? tokenizer.encodeAll(texts.texts(), EncodeOptions.DEFAULT)
                : ((Input.Ids) input).ids().stream().map(Encoders::encoding).toList();
        int longest = adapters.base().backbone().maxPositions();
        for (int i = 0; i < encodings.size(); i++) {
            int length = encodings.get(i).length();
            if (length == 0 || length > longest) {
                throw new ApiError(
                                400,
                                "invalid_request_error",
                                "context_length_exceeded",
                                "input " + i + " has " + length + " tokens, the model takes from 1 to " + longest)
                        .about("input");
            }
        }
        return encodings;
    }

    /** Of a text of which nothing but its ids is known. */
    private static Encoding encoding(int[] ids) {
        int length = ids.length;
        int[] ones = new int[length];
        Arrays.fill(ones, 1);
        int[] zeros = new int[length];
        return new Encoding(ids, ones, zeros, zeros, Collections.nCopies(length, ""), zeros, zeros, zeros, zeros);
    }

    /** Waits for what the engine answers; the adapter stays in memory until it has let go of all texts. */
    private Read read(Exchange exchange, String model, List<Encoding> texts) throws IOException {
        CompletableFuture<List<float[]>> answers = new CompletableFuture<>();
        Adapters.Lease lease = exchange.lease(adapters, model);
        Ticket ticket;
        try {
            long deadline = System.nanoTime() + exchange.limits().time().toNanos();
            ticket = engine.submit(
                    new EncoderAsk(texts, lease.served(), exchange.tenant(), deadline),
                    EncoderListener.completing(answers, lease));
        } catch (RuntimeException refused) {
            lease.close();
            throw refused;
        }
        try (ClientWatch watch =
                exchange.watch(() -> answers.completeExceptionally(new EofException("the client is gone")))) {
            return new Read(
                    answers.get(), Classes.of(adapters.base(), lease.served().answers()));
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof EofException gone) {
                throw gone;
            }
            throw failed.getCause() instanceof RuntimeException why ? why : new IllegalStateException(failed);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", stop);
        } finally {
            ticket.cancel();
        }
    }

    private void fill(ObjectNode entry, Encoding text, float[] answer, Classes classes, boolean base64) {
        switch (kind) {
            case EMBEDDING -> embedding(entry, answer, base64);
            case LABEL -> label(entry, classes, answer);
            case TOKEN_LABELS -> tokenLabels(entry, classes, answer, text);
        }
    }

    /** What the engine said of each text, and what that means. */
    private record Read(List<float[]> answers, Classes classes) {}

    /**
     * What logits stand for.
     *
     * @param several whether each class is judged by itself
     */
    private record Classes(List<String> names, boolean several) {
        /** As the adapter says, else the base. */
        static Classes of(Base base, Answers answers) {
            return answers.labels().size() == base.labels().size()
                    ? new Classes(answers.labels(), answers.several())
                    : new Classes(
                            base.labels(),
                            base.config().string("problem_type", "").equals("multi_label_classification"));
        }
    }

    private static void embedding(ObjectNode entry, float[] vector, boolean base64) {
        entry.put("object", "embedding");
        if (base64) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(vector);
            entry.put("embedding", Base64.getEncoder().encodeToString(bytes.array()));
            return;
        }
        ArrayNode list = entry.putArray("embedding");
        for (float value : vector) {
            list.add(value);
        }
    }

    private static void label(ObjectNode entry, Classes classes, float[] logits) {
        boolean number = classes.names.size() == 1;
        float[] scores = number ? logits : classes.several ? sigmoid(logits) : softmax(logits, logits.length);
        int best = best(scores, 0, scores.length);
        entry.put("label", classes.names.get(best));
        ArrayNode list = entry.putArray("probs");
        for (float score : scores) {
            list.add(score);
        }
        entry.put("num_classes", scores.length);
        ArrayNode names = entry.putArray("labels");
        classes.names.forEach(names::add);
    }

    private static void tokenLabels(ObjectNode entry, Classes classes, float[] logits, Encoding text) {
        int count = logits.length / text.length();
        float[] scores = softmax(logits, count);
        ArrayNode tokens = entry.putArray("tokens");
        for (int i = 0; i < text.length(); i++) {
            if (text.specialTokensMask()[i] == 0) {
                int best = best(scores, i * count, count);
                ObjectNode token = tokens.addObject();
                token.put("token", text.tokens().get(i));
                token.put("start", text.starts()[i]);
                token.put("end", text.ends()[i]);
                token.put("label", classes.names.get(best));
                token.put("score", scores[i * count + best]);
            }
        }
    }

    private static float[] sigmoid(float[] logits) {
        float[] scores = new float[logits.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) (1 / (1 + Math.exp(-logits[i])));
        }
        return scores;
    }

    /** The softmax of each row of classes. */
    private static float[] softmax(float[] logits, int classes) {
        float[] scores = new float[logits.length];
        for (int from = 0; from < scores.length; from += classes) {
            double largest = logits[from + best(logits, from, classes)];
            double sum = 0;
            for (int i = from; i < from + classes; i++) {
                sum += Math.exp(logits[i] - largest);
            }
            for (int i = from; i < from + classes; i++) {
                scores[i] = (float) (Math.exp(logits[i] - largest) / sum);
            }
        }
        return scores;
    }

    private static int best(float[] scores, int from, int count) {
        int best = 0;
        for (int i = 1; i < count; i++) {
            if (scores[from + i] > scores[from + best]) {
                best = i;
            }
        }
        return best;
    }
}
