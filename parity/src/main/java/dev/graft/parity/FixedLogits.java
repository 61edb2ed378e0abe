package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A model that outputs the embeddings of its hooks, to test losses on given logits. */
final class FixedLogits implements Architecture {
    /** A base for logits of that many classes. */
    static Base of(Task task, int classes) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("classes", classes);
        config.put("num_labels", classes);
        return Base.of(
                "given logits",
                new PretrainedCheckpoint(
                        Fields.of("given logits", config), ZeroTensors.of(Map.of()), Path.of("given logits")),
                new FixedLogits(),
                Base.Options.of(task));
    }

    /** Returns hooks that make these logits, {@code [rows, width, classes]}, the model's output. */
    static Hooks hooks(Tensor logits) {
        return new Hooks() {
            @Override
            public Tensor embedding(Embedding site, Tensor ids, PassView pass) {
                return logits;
            }
        };
    }

    @Override
    public String modelType() {
        return "given-logits";
    }

    @Override
    public String prefix() {
        return "";
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.TOKEN_CLS, Task.SEQ_CLS);
    }

    @Override
    public String classNamePrefix() {
        return "GivenLogits";
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        int classes = config.integer("classes");
        Tensor table = weights.getOrInitialize("table", () -> Tensors.zeros(ScalarType.Float, 1, classes), 1, classes);
        Tensor identity = weights.getOrInitialize("identity", () -> torch.eye(classes), classes, classes);
        Linear output = new Linear("output", Role.HEAD, -1, identity, null);
        return new Model(
                new FixedBackbone(new Embedding("table", table, true)),
                spec.task() == Task.SEQ_CLS
                        ? new Head.PerSequence(Head.Pooling.FIRST, null, 0, output)
                        : new Head.PerToken(output));
    }

    private record FixedBackbone(Embedding table) implements Backbone {
        @Override
        public List<Site> sites() {
            return List.of(table);
        }

        @Override
        public Size size() {
            return new Size(1, (int) table.hidden(), 0, 0, Integer.MAX_VALUE);
        }

        @Override
        public HiddenStates forward(Inputs in, ForwardPass pass) {
            return pass.result(
                    InputEmbeddings.of(table, in, ScalarType.Float, pass).rows());
        }
    }
}
