package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.Adapters;
import dev.graft.serve.Embedder;
import dev.graft.serve.TextBatch;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code /v1/embeddings}, {@code /v1/classify} and {@code /v1/token_classify}: what a model that reads whole texts gives for them, a few texts
 * of a request in a pass.
 */
final class Encoders implements Route {
    private static final int MOST_INPUTS = 2048;

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

        /** What a base's head gives; null for bases that read no whole texts. */
        static @Nullable Kind of(Task task) {
            return switch (task) {
                case FEATURE_EXTRACTION, MASKED_LM -> EMBEDDING;
                case SEQ_CLS -> LABEL;
                case TOKEN_CLS -> TOKEN_LABELS;
                default -> null;
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

    Encoders(Kind kind, Adapters adapters, Tokenizer tokenizer) {
        this.kind = kind;
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
            if (dimensions != null && dimensions != adapters.base().backbone().hiddenSize()) {
                throw new InputException("the request: dimensions is " + dimensions + ", the model has "
                        + adapters.base().backbone().hiddenSize() + " and they can't be cut");
            }
        }
        List<Encoding> texts = texts(fields);
        fields.informational("user");
        fields.refuseUnread("they are not supported; leave them out");
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("id", UUID.randomUUID().toString());
        body.put("object", "list");
        body.put("created", System.currentTimeMillis() / 1000);
        body.put("model", model);
        ArrayNode data = body.putArray("data");
        int tokens = 0;
        try (Adapters.Lease lease = exchange.lease(adapters, model)) {
            List<ObjectNode> entries = new ArrayList<>();
            for (Encoding text : texts) {
                entries.add(data.addObject().put("index", entries.size()));
                tokens += text.length();
            }
            fill(entries, texts, lease.served().selection().hooks(), base64);
        }
        ObjectNode usage = body.putObject("usage");
        usage.put("prompt_tokens", tokens);
        usage.put("total_tokens", tokens);
        exchange.json(200, body);
    }

    private List<Encoding> texts(Fields fields) {
        JsonNode input = fields.node("input");
        List<String> texts = new ArrayList<>();
        if (input != null && input.isString()) {
            texts.add(input.stringValue());
        } else if (input != null && input.isArray() && !input.isEmpty() && input.size() <= MOST_INPUTS) {
            texts.addAll(fields.strings("input"));
        } else {
            throw fields.wrong("input", "a text or an array of at most " + MOST_INPUTS + " texts");
        }
        List<Encoding> encodings = tokenizer.encodeAll(texts, EncodeOptions.DEFAULT);
        int longest = adapters.base().backbone().maxPositions();
        for (int i = 0; i < encodings.size(); i++) {
            int length = encodings.get(i).length();
            if (length == 0 || length > longest) {
                throw new ApiError(
                        400,
                        "invalid_request_error",
                        "context_length_exceeded",
                        "input " + i + " has " + length + " tokens, the model takes from 1 to " + longest);
            }
        }
        return encodings;
    }

    private void fill(List<ObjectNode> entries, List<Encoding> texts, Hooks hooks, boolean base64) {
        Base base = adapters.base();
        if (kind == Kind.EMBEDDING) {
            List<float[]> vectors = new Embedder(base).embed(texts, hooks);
            for (int i = 0; i < entries.size(); i++) {
                embedding(entries.get(i), vectors.get(i), base64);
            }
            return;
        }
        for (TextBatch batch : TextBatch.of(texts, base.backbone())) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Tensor all = Ops.to(base.logits(batch.inputs(), Pass.inference(hooks)), ScalarType.Float);
                for (int row = 0; row < batch.texts().size(); row++) {
                    ObjectNode entry = entries.get(batch.places().get(row));
                    Tensor logits = all.narrow(0, row, 1);
                    if (kind == Kind.LABEL) {
                        label(entry, base, logits);
                    } else {
                        Encoding text = batch.texts().get(row);
                        tokenLabels(entry, base, logits.narrow(1, 0, text.length()), text);
                    }
                }
            }
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

    private static void label(ObjectNode entry, Base base, Tensor logits) {
        boolean several = base.config().string("problem_type", "").equals("multi_label_classification");
        boolean number = base.labels().size() == 1;
        float[] scores = Tensors.floats(number ? logits : several ? logits.sigmoid() : logits.softmax(-1));
        int best = best(scores, 0, scores.length);
        entry.put("label", base.labels().get(best));
        ArrayNode list = entry.putArray("probs");
        for (float score : scores) {
            list.add(score);
        }
        entry.put("num_classes", scores.length);
        ArrayNode names = entry.putArray("labels");
        base.labels().forEach(names::add);
    }

    private static void tokenLabels(ObjectNode entry, Base base, Tensor logits, Encoding text) {
        float[] scores = Tensors.floats(logits.softmax(-1));
        int classes = scores.length / text.length();
        ArrayNode tokens = entry.putArray("tokens");
        for (int i = 0; i < text.length(); i++) {
            if (text.specialTokensMask()[i] == 0) {
                int best = best(scores, i * classes, classes);
                ObjectNode token = tokens.addObject();
                token.put("token", text.tokens().get(i));
                token.put("start", text.starts()[i]);
                token.put("end", text.ends()[i]);
                token.put("label", base.labels().get(best));
                token.put("score", scores[i * classes + best]);
            }
        }
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
