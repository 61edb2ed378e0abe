package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.LabelSpace;
import dev.graft.serve.EncodeListener;
import dev.graft.serve.EncodeRequest;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncodeKind;
import dev.graft.serve.engine.EncoderEngine;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.eclipse.jetty.io.EofException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code /v1/embeddings}, {@code /v1/classify} and {@code /v1/token_classify}: embeddings or labels of texts. */
final class EncodeRoute implements Route {
    private static final int MOST_INPUTS = 2048;

    private final EncoderEngine engine;
    private final Adapters adapters;
    private final Tokenizer tokenizer;
    private final EncodeKind kind;

    EncodeRoute(EncodeKind kind, EncoderEngine engine, Adapters adapters, Tokenizer tokenizer) {
        this.kind = kind;
        this.engine = engine;
        this.adapters = adapters;
        this.tokenizer = tokenizer;
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        String model = fields.string("model");
        VectorForm form = kind == EncodeKind.EMBEDDING
                ? VectorForm.read(fields, adapters.base().backbone().outputSize())
                : VectorForm.WHOLE;
        List<Encoding> texts = texts(fields);
        fields.stringOrNull("user");
        fields.rejectUnread("It is not supported; leave it out");
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("id", UUID.randomUUID().toString());
        body.put("object", "list");
        body.put("created", System.currentTimeMillis() / 1000);
        body.put("model", model);
        ArrayNode data = body.putArray("data");
        Result result = encode(exchange, model, texts);
        int tokens = 0;
        for (int i = 0; i < result.answers.size(); i++) {
            fill(data.addObject().put("index", i), texts.get(i), result.answers.get(i), result.classes, form);
            tokens += texts.get(i).length();
        }
        ObjectNode usage = body.putObject("usage");
        usage.put("prompt_tokens", tokens);
        usage.put("total_tokens", tokens);
        exchange.sendJson(200, body);
    }

    private List<Encoding> texts(Fields fields) {
        int most = Math.min(MOST_INPUTS, engine.maxTexts());
        RequestInput input = kind == EncodeKind.EMBEDDING
                ? RequestInput.read(
                        fields, "input", most, adapters.base().backbone().vocabSize())
                : RequestInput.texts(fields, "input", most);
        List<Encoding> encodings = input instanceof RequestInput.Texts texts
                ? tokenizer.encodeAll(texts.texts(), EncodeOptions.DEFAULT)
                : ((RequestInput.Ids) input)
                        .ids().stream().map(EncodeRoute::encoding).toList();
        int longest = adapters.base().backbone().maxPositions();
        for (int i = 0; i < encodings.size(); i++) {
            int length = encodings.get(i).length();
            if (length == 0 || length > longest) {
                throw new ApiError(
                                400,
                                "invalid_request_error",
                                "context_length_exceeded",
                                "input " + i + " has " + length + " tokens, the model takes from 1 to " + longest)
                        .forField("input");
            }
        }
        return encodings;
    }

    /** Returns the encoding of a text of which only the ids are known. */
    private static Encoding encoding(int[] ids) {
        int length = ids.length;
        int[] ones = new int[length];
        Arrays.fill(ones, 1);
        int[] zeros = new int[length];
        return new Encoding(ids, ones, zeros, zeros, Collections.nCopies(length, ""), zeros, zeros, zeros, zeros);
    }

    /** Waits for what the engine answers; the adapter stays in memory until it has let go of all texts. */
    private Result encode(Exchange exchange, String model, List<Encoding> texts) throws IOException {
        CompletableFuture<List<float[]>> answers = new CompletableFuture<>();
        Adapters.Lease lease = exchange.lease(adapters, model);
        RequestHandle handle;
        try {
            long deadline = System.nanoTime() + exchange.limits().timeout().toNanos();
            handle = engine.submit(
                    new EncodeRequest(texts, lease.model(), exchange.tenant(), deadline),
                    EncodeListener.completing(answers, lease::close));
        } catch (RuntimeException refused) {
            lease.close();
            throw refused;
        }
        try (ClientWatch watch =
                exchange.watchClient(() -> answers.completeExceptionally(new EofException("the client is gone")))) {
            return new Result(
                    answers.get(), Classes.of(adapters.base(), lease.model().labelSpace()));
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof EofException gone) {
                throw gone;
            }
            throw failed.getCause() instanceof RuntimeException why ? why : new IllegalStateException(failed);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", stop);
        } finally {
            handle.cancel();
        }
    }

    private void fill(ObjectNode entry, Encoding text, float[] answer, Classes classes, VectorForm form) {
        switch (kind) {
            case EMBEDDING -> form.write(answer, entry);
            case LABEL -> label(entry, classes, answer);
            case TOKEN_LABELS -> tokenLabels(entry, classes, answer, text);
        }
    }

    /** The engine's output for each text, and the classes that it refers to. */
    private record Result(List<float[]> answers, Classes classes) {}

    /**
     * The classes of logits.
     *
     * @param multiLabel true if each class is predicted independently
     */
    private record Classes(List<String> names, boolean multiLabel) {
        /** Returns the adapter's classes, else those of the base. */
        static Classes of(Base base, LabelSpace labelSpace) {
            return labelSpace.labels().size() == base.labels().size()
                    ? new Classes(labelSpace.labels(), labelSpace.multiLabel())
                    : new Classes(
                            base.labels(),
                            base.config().string("problem_type", "").equals("multi_label_classification"));
        }
    }

    private static void label(ObjectNode entry, Classes classes, float[] logits) {
        boolean number = classes.names.size() == 1;
        float[] scores = number ? logits : classes.multiLabel ? sigmoid(logits) : softmax(logits, logits.length);
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
