package dev.graft.models.heads;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.JsonNode;

/**
 * The reduction of the hidden states of a text to one vector, as sentence-transformers configures it: {@code modules.json} names the steps,
 * {@code 1_Pooling/config.json} the reduction.
 *
 * <pre>{@code
 * Tensor vectors = base.sentencePooling().of(base.forward(inputs, pass)); // [texts, hidden]
 * }</pre>
 *
 * @param normalized true if vectors are scaled to length 1
 */
public record SentencePooling(Mode mode, boolean normalized) {
    /** The mean of all positions, of length 1: the usual form of models without {@code modules.json}. */
    public static final SentencePooling DEFAULT = new SentencePooling(Mode.MEAN, true);

    private static final String MODULES = "modules.json";
    private static final double SMALLEST = 1e-9;

    /** The reductions; all ignore positions of padding. */
    public enum Mode {
        /** The mean of all positions. */
        MEAN("pooling_mode_mean_tokens", "mean"),
        /** The first position. */
        CLS("pooling_mode_cls_token", "cls"),
        /** The largest value of each dimension. */
        MAX("pooling_mode_max_tokens", "max"),
        /** The sum of all positions, divided by the square root of their number. */
        MEAN_SQRT_LENGTH("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        /** The mean of all positions, each weighted by its number from 1. */
        WEIGHTED_MEAN("pooling_mode_weightedmean_tokens", "weightedmean"),
        /** The last position. */
        LAST_TOKEN("pooling_mode_lasttoken", "lasttoken");

        private final String flag;
        private final String title;

        Mode(String flag, String title) {
            this.flag = flag;
            this.title = title;
        }
    }

    /**
     * Reads the pooling of a model's folder; {@link #DEFAULT} if the folder has no {@code modules.json}.
     *
     * @throws FormatException if a module or a reduction is unsupported, such as a dense layer after the pooling
     */
    public static SentencePooling read(Path folder) {
        Path file = folder.resolve(MODULES);
        if (!Files.isRegularFile(file)) {
            return DEFAULT;
        }
        JsonNode modules = Json.read(file);
        if (!modules.isArray()) {
            throw new FormatException(file, "is no list of modules");
        }
        Mode mode = null;
        boolean normalized = false;
        for (JsonNode module : modules.values()) {
            String type = module.path("type").asString("");
            switch (type.substring(type.lastIndexOf('.') + 1)) {
                case "Transformer" -> {}
                case "Pooling" -> mode = mode(Fields.read(config(folder, module, file)));
                case "Normalize" -> normalized = true;
                default ->
                    throw new FormatException(
                            file,
                            "has the module \"" + type + "\", expected Transformer, Pooling and Normalize only: the"
                                    + " vectors of this model can't be computed");
            }
        }
        if (mode == null) {
            throw new FormatException(file, "has no module Pooling, so it says no vector for a text");
        }
        return new SentencePooling(mode, normalized);
    }

    private static Path config(Path folder, JsonNode module, Path file) {
        String name = module.path("path").asString("");
        if (!name.matches("[\\w-]+")) {
            throw new FormatException(file, "has the path \"" + name + "\" of a module, expected a folder beside it");
        }
        return folder.resolve(name).resolve("config.json");
    }

    private static Mode mode(Fields config) {
        List<Mode> chosen = new ArrayList<>();
        String named = config.has("pooling_mode") ? config.string("pooling_mode") : "";
        for (Mode mode : Mode.values()) {
            if (named.toLowerCase(Locale.ROOT).equals(mode.title) || config.bool(mode.flag, false)) {
                chosen.add(mode);
            }
        }
        if (chosen.size() != 1) {
            throw config.invalid(
                    named.isEmpty() ? "pooling_mode_mean_tokens" : "pooling_mode",
                    "exactly one reduction of mean, cls, max, mean_sqrt_len_tokens, weightedmean and lasttoken");
        }
        return chosen.get(0);
    }

    /**
     * Returns the vectors of texts.
     *
     * @param hidden the hidden states of the base; an adapter's prompt counts as text, as in sentence-transformers
     * @return {@code [texts, hidden]} in fp32
     */
    public Tensor of(HiddenStates hidden) {
        Tensor states = Ops.to(hidden.last(), ScalarType.Float);
        Tensor mask = Ops.to(hidden.mask(), ScalarType.Float).unsqueeze(-1);
        Tensor vectors = reduce(states, mask);
        return normalized ? unit(vectors) : vectors;
    }

    private Tensor reduce(Tensor states, Tensor mask) {
        long rows = states.size(0);
        long width = states.size(1);
        return switch (mode) {
            case MEAN -> weighted(states, mask);
            case CLS -> states.select(1, 0);
            case MAX ->
                states.masked_fill(mask.eq(new Scalar(0)), new Scalar(-1e9))
                        .max(1)
                        .get0();
            case MEAN_SQRT_LENGTH ->
                Ops.sum(states.mul(mask), 1, false)
                        .div(Ops.sum(mask, 1, false)
                                .clamp_min(new Scalar(SMALLEST))
                                .sqrt());
            case WEIGHTED_MEAN -> weighted(states, mask.mul(places(width, 1).view(1, width, 1)));
            case LAST_TOKEN -> {
                Tensor last = Ops.argmax(mask.squeeze(-1).mul(places(width, 0)), 1);
                Tensor at = last.view(rows, 1, 1).expand(rows, 1, states.size(2));
                yield states.gather(1, at).squeeze(1);
            }
        };
    }

    private static Tensor weighted(Tensor states, Tensor weights) {
        return Ops.sum(states.mul(weights), 1, false)
                .div(Ops.sum(weights, 1, false).clamp_min(new Scalar(SMALLEST)));
    }

    /** The numbers of positions, {@code [width]} in fp32. */
    private static Tensor places(long width, long first) {
        return Ops.to(Tensors.of(LongStream.range(first, first + width).toArray(), width), ScalarType.Float);
    }

    /** Returns vectors {@code […, size]} scaled to length 1. */
    public static Tensor unit(Tensor vectors) {
        Tensor length = Ops.norm(vectors, -1, true).clamp_min(new Scalar(1e-12));
        return vectors.div(length);
    }
}
