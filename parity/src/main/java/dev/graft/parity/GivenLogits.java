package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Embedded;
import dev.graft.models.Head;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
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

/** A model whose answer is what its hooks give as embeddings, so that losses can be tried on given logits. */
final class GivenLogits implements Architecture {
    /** A base for logits of that many classes. */
    static Base of(Task task, int classes) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("classes", classes);
        config.put("num_labels", classes);
        return Base.of(
                "given logits",
                new Checkpoint(Fields.of("given logits", config), BlankTensors.of(Map.of()), Path.of("given logits")),
                new GivenLogits(),
                Base.Options.of(task));
    }

    /** Gives these logits, {@code [rows, width, classes]}. */
    static Hooks hooks(Tensor logits) {
        return new Hooks() {
            @Override
            public Tensor embedding(Embedding site, Tensor ids, Pass pass) {
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
    public String stem() {
        return "GivenLogits";
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        int classes = config.integer("classes");
        Tensor table = weights.orFresh("table", () -> Tensors.zeros(ScalarType.Float, 1, classes), 1, classes);
        Tensor identity = weights.orFresh("identity", () -> torch.eye(classes), classes, classes);
        Linear output = new Linear("output", Role.HEAD, -1, identity, null);
        return new Model(
                new Given(new Embedding("table", table, true)),
                spec.task() == Task.SEQ_CLS
                        ? new Head.Sequence(Head.Pooling.FIRST, null, 0, output)
                        : new Head.PerToken(output));
    }

    private record Given(Embedding table) implements Backbone {
        @Override
        public List<Site> sites() {
            return List.of(table);
        }

        @Override
        public Size size() {
            return new Size(1, (int) table.hidden(), 0, 0, Integer.MAX_VALUE);
        }

        @Override
        public Hidden hidden(Inputs in, Pass pass) {
            return pass.result(Embedded.of(table, in, ScalarType.Float, pass).rows());
        }
    }
}
