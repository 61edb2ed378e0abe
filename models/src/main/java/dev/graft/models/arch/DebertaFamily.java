package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Embedding;
import dev.graft.models.weights.Weights;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/** A version of {@link Deberta} in the shape of its config.json. */
abstract class DebertaFamily implements Architecture {
    /** Reads its fields. */
    abstract Deberta.Config config(Fields f);

    @Override
    public String prefix() {
        return "deberta.";
    }

    @Override
    public Model build(Fields f, Weights w, HeadSpec spec) {
        Deberta model = new Deberta(config(f), w, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix());
        return new Model(model, head(model, f, w, spec));
    }

    private static Head head(Deberta model, Fields f, Weights w, HeadSpec spec) {
        int h = model.hiddenSize();
        double dropout = model.config().dropout();
        return switch (spec.task()) {
            case FEATURE_EXTRACTION -> new Head.NoHead(List.of());
            case SEQ_CLS, MULTIPLE_CHOICE -> {
                if (f.integer("pooler_hidden_size", h) != h) {
                    throw f.invalid("pooler_hidden_size", "hidden_size " + h);
                }
                Double given = f.numberOrNull("cls_dropout");
                yield BertFamily.first(
                        "pooler.dense",
                        Activation.read(f, "pooler_hidden_act", "gelu"),
                        f.number("pooler_dropout", 0, 0, 1),
                        given == null ? dropout : given,
                        "classifier",
                        h,
                        w,
                        spec);
            }
            case TOKEN_CLS ->
                new Head.PerToken(null, dropout, w.headLinear("classifier", spec.labels(), h, true, spec.seed()));
            case QUESTION_ANS -> new Head.PerToken(w.headLinear("qa_outputs", 2, h, true, spec.seed()));
            case MASKED_LM -> {
                boolean legacy = f.bool("legacy", true);
                String t = legacy ? "cls.predictions." : "lm_predictions.lm_head.";
                String inner = legacy ? t + "transform." : t;
                yield BertFamily.vocabulary(
                        model.words(),
                        inner + "dense",
                        model.config().activation(),
                        inner + "LayerNorm",
                        model.config().eps(),
                        t + "decoder",
                        t + "bias",
                        h,
                        w);
            }
            default -> throw new IllegalArgumentException("DeBERTa has no head for " + spec.task());
        };
    }

    /** Reads the common fields of all versions. */
    static Deberta.Config config(Fields f, boolean fused, Deberta.Later later) {
        Backbone.Size size = new Backbone.Size(
                f.integer("vocab_size"),
                f.integer("hidden_size"),
                f.integer("num_hidden_layers"),
                BertEncoder.heads(f, "num_attention_heads", "hidden_size"),
                f.integer("max_position_embeddings", 512));
        if (!f.bool("relative_attention", false)) {
            throw f.invalid("relative_attention", "true: DeBERTa without relative positions isn't supported");
        }
        same(f, "embedding_size", size.hidden());
        int most = f.integer("max_relative_positions", -1);
        List<String> kinds = kinds(f);
        return new Deberta.Config(
                size,
                f.integer("intermediate_size"),
                Embedding.padding(f, 0),
                f.integer("type_vocab_size", 0, 0),
                f.bool("position_biased_input", true),
                fused,
                most < 1 ? size.positions() : most,
                kinds.contains("c2p"),
                kinds.contains("p2c"),
                later,
                Activation.read(f, "hidden_act", "gelu"),
                f.number("layer_norm_eps", 1e-7, 0, 1),
                f.number("hidden_dropout_prob", 0.1, 0, 1),
                f.number("attention_probs_dropout_prob", 0.1, 0, 1));
    }

    static void same(Fields f, String field, int only) {
        if (f.integer(field, only) != only) {
            throw f.invalid(field, Integer.toString(only));
        }
    }

    /** Reads a list, or names separated by bars in old files. */
    private static List<String> kinds(Fields f) {
        JsonNode node = f.node("pos_att_type");
        List<String> kinds = node == null || node.isNull()
                ? List.of()
                : node.isString()
                        ? List.of(f.string("pos_att_type")
                                .toLowerCase(Locale.ROOT)
                                .strip()
                                .split("\\s*\\|\\s*"))
                        : f.strings("pos_att_type");
        if (!List.of("c2p", "p2c").containsAll(kinds)) {
            throw f.invalid("pos_att_type", "c2p, p2c or both");
        }
        return kinds;
    }
}
