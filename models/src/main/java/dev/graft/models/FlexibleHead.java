package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * A head of AdapterHub's own classes, {@code head_config.json} and {@code model_head.safetensors}: dense layers with an activation between, for
 * classification, tagging, answers, multiple choice and language modelling. A base is loaded with it through {@link Base.Options#withHead}; an
 * adapter on that base trains and saves it.
 *
 * <pre>{@code
 * FlexibleHead head = FlexibleHead.read(Path.of("adapter"));
 * Base base = Base.load(Path.of("bert"), Base.Options.DEFAULT.withHead(head));
 * }</pre>
 *
 * @param name the name in {@code heads.NAME.1.weight}, the names of its tensors
 * @param settings the map {@code config} of its file
 * @param values its tensors by name; missing ones are newly initialised
 */
public record FlexibleHead(String name, ObjectNode settings, Map<String, Tensor> values) {
    private static final String CONFIG = "head_config.json";

    public FlexibleHead {
        values = Map.copyOf(values);
    }

    /**
     * Reads a head from a folder that AdapterHub wrote.
     *
     * @throws dev.graft.formats.InputException if it has no such head
     */
    public static FlexibleHead read(Path folder) {
        Fields file = Fields.read(folder.resolve(CONFIG));
        if (!(file.node("config") instanceof ObjectNode settings)) {
            throw new InputException(folder.resolve(CONFIG)
                    + ": config is null: this is the head of a transformers class, not a flexible one");
        }
        Map<String, Tensor> values = new LinkedHashMap<>();
        try (TensorSource tensors = Safetensors.open(folder.resolve("model_head.safetensors"))) {
            for (String tensor : tensors.names()) {
                try (Scope scope = new Scope()) {
                    TensorInfo info = tensors.info(tensor);
                    values.put(
                            tensor,
                            scope.release(
                                    Tensors.of(tensors.bytes(tensor), TensorConversion.type(info), info.shape())));
                }
            }
        }
        return new FlexibleHead(file.string("name"), settings, values);
    }

    private Fields fields() {
        return Fields.of(CONFIG, settings);
    }

    /** The path of its modules. */
    public String module() {
        return "heads." + name;
    }

    /** The task of the head. A choice among several texts is a classification of each with one output. */
    public Task task() {
        return switch (type()) {
            case "tagging" -> Task.TOKEN_CLS;
            case "question_answering" -> Task.QUESTION_ANS;
            case "masked_lm" -> Task.MASKED_LM;
            case "causal_lm" -> Task.CAUSAL_LM;
            case "seq2seq_lm" -> Task.SEQ_2_SEQ_LM;
            default -> Task.SEQ_CLS;
        };
    }

    private String type() {
        return fields().choice(
                        "head_type",
                        "",
                        "classification",
                        "multilabel_classification",
                        "multiple_choice",
                        "tagging",
                        "question_answering",
                        "masked_lm",
                        "causal_lm",
                        "seq2seq_lm");
    }

    /** The names of the outputs, in their order. */
    List<String> labels() {
        Fields map = fields().objectOrNull("label2id");
        if (map == null || type().equals("multiple_choice")) {
            return List.of("LABEL_0");
        }
        TreeMap<Integer, String> ordered = new TreeMap<>();
        for (String label : map.names()) {
            ordered.put(map.integer(label), label);
        }
        return List.copyOf(ordered.values());
    }

    Head build(Weights w, Backbone backbone, Fields config, boolean causal) {
        Fields f = fields();
        boolean plain = f.has("activation_function") && f.stringOrNull("activation_function") == null;
        Activation activation = plain ? null : Activation.read(f, "activation_function", "tanh");
        int layers = f.integer("layers", 1, 1);
        int hidden = backbone.outputSize();
        boolean vocabulary =
                Set.of(Task.MASKED_LM, Task.CAUSAL_LM, Task.SEQ_2_SEQ_LM).contains(task());
        if (vocabulary) {
            return vocabulary(w, backbone, config, activation, layers);
        }
        int outputs = type().equals("multiple_choice") ? 1 : f.integer("num_labels");
        boolean whole = task() == Task.SEQ_CLS;
        double p = dropout(config);
        List<Head.Dense> dense = new ArrayList<>();
        if (whole && f.bool("use_pooler", false)) {
            dense.add(new Head.Dense(pooler(backbone), Activation.TANH, null, 0));
        }
        for (int i = 0; i + 1 < layers; i++) {
            dense.add(new Head.Dense(linear(w, 3 * i + 1, hidden, hidden, true), activation, null, p));
        }
        return new Head.Layered(
                !whole ? null : causal ? Head.Pooling.LAST : Head.Pooling.FIRST,
                1,
                dense,
                null,
                p,
                linear(w, 3 * layers - 2, outputs, hidden, f.bool("bias", true)));
    }

    private double dropout(Fields config) {
        for (Double given : new Double[] {
            fields().numberOrNull("dropout_prob"),
            config.numberOrNull("classifier_dropout"),
            config.numberOrNull("hidden_dropout_prob")
        }) {
            if (given != null) {
                return given;
            }
        }
        return 0;
    }

    private Head vocabulary(Weights w, Backbone backbone, Fields config, @Nullable Activation activation, int layers) {
        Fields f = fields();
        int hidden = backbone.outputSize();
        if (f.integer("embedding_size", hidden) != hidden) {
            throw f.invalid("embedding_size", hidden + ", the base's hidden size");
        }
        boolean normed = f.bool("layer_norm", false);
        List<Head.Dense> dense = new ArrayList<>();
        int at = 0;
        for (int i = 0; i + 1 < layers; i++) {
            Linear layer = linear(w, at, hidden, hidden, true);
            at += 2;
            dense.add(new Head.Dense(layer, activation, normed ? norm(w, at++, hidden, config) : null, 0));
        }
        boolean scaled = task() == Task.SEQ_2_SEQ_LM && config.bool("tie_word_embeddings", true);
        double scale = scaled ? 1 / Math.sqrt(hidden) : 1;
        Stream stream = null;
        for (Site site : backbone.sites()) {
            stream = site instanceof Stream found ? found : stream;
        }
        return new Head.Layered(
                null, scale, dense, stream, 0, linear(w, at, f.integer("vocab_size"), hidden, f.bool("bias", true)));
    }

    private Norm norm(Weights w, int index, int hidden, Fields config) {
        String at = module() + "." + index;
        return new Norm(
                at,
                -1,
                Norm.Kind.LAYER,
                w.getOrInitialize(at + ".weight", start(at + ".weight", 1, hidden), hidden),
                w.getOrInitialize(at + ".bias", start(at + ".bias", 0, hidden), hidden),
                config.number("layer_norm_eps", 1e-12, 0, 1));
    }

    private static Linear pooler(Backbone backbone) {
        for (Site site : backbone.sites()) {
            if (site instanceof Linear linear && linear.role() == Role.POOLER) {
                return linear;
            }
        }
        throw new InputException("use_pooler is true, but the base has no pooler");
    }

    private Linear linear(Weights w, int index, int out, int in, boolean bias) {
        String at = module() + "." + index;
        String weight = at + ".weight";
        Tensor b = bias ? w.getOrInitialize(at + ".bias", start(at + ".bias", 0, out), out) : null;
        return new Linear(at, Role.HEAD, -1, w.getOrInitialize(weight, () -> value(weight, out, in), out, in), b);
    }

    private Tensor value(String key, long out, long in) {
        Tensor given = values.get(key);
        return given == null ? Rng.of(0, key).normal(0, 0.02, out, in) : given.clone();
    }

    private java.util.function.Supplier<Tensor> start(String key, double constant, long size) {
        return () -> {
            Tensor given = values.get(key);
            return given == null ? Ops.plus(Tensors.zeros(ScalarType.Float, size), constant) : given.clone();
        };
    }
}
