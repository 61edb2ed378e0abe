package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.formats.TensorSource;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Head;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import dev.graft.models.checkpoints.Checkpoint;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A frozen model that is only a list of modules by name and kind, to try which of them a configuration chooses, or a single layer with
 * nothing around it. There is no forward pass: its layers are called through the hooks.
 */
final class ModuleTree implements Architecture {
    /** What the names of the tensors have before those of the modules. */
    static final String PREFIX = "base.";

    /** The kinds of module that there are sites for. */
    enum Kind {
        LINEAR("Linear"),
        LINEAR_WITHOUT_BIAS("Linear-nobias"),
        CONV1D("Conv1D"),
        EMBEDDING("Embedding"),
        NORM("LayerNorm");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        static Map<String, Kind> byLabel() {
            Map<String, Kind> kinds = new TreeMap<>();
            for (Kind kind : values()) {
                kinds.put(kind.label, kind);
            }
            return kinds;
        }
    }

    /** A base of these modules, whose sizes are those of the tensors; the head is the module of that name, if it is one of them. */
    static Base of(String name, Map<String, Kind> modules, String head, TensorSource tensors) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("head", head);
        ObjectNode described = config.putObject("modules");
        modules.forEach((module, kind) -> {
            ObjectNode one = described.putObject(module);
            one.put("kind", kind.name());
            long[] shape = tensors.info(PREFIX + module + ".weight").shape();
            one.put("rows", Math.toIntExact(shape[0]));
            one.put("columns", Math.toIntExact(shape[shape.length - 1]));
        });
        Task task = modules.containsKey(head) ? Task.CAUSAL_LM : Task.FEATURE_EXTRACTION;
        return Base.of(
                name,
                new Checkpoint(Fields.of(name, config), tensors, Path.of(name)),
                new ModuleTree(),
                Base.Options.of(task));
    }

    @Override
    public String modelType() {
        return "module-tree";
    }

    @Override
    public String prefix() {
        return PREFIX;
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.CAUSAL_LM);
    }

    @Override
    public String stem() {
        return "ModuleTree";
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        Fields modules = config.object("modules");
        String headName = config.string("head");
        List<Site> sites = new ArrayList<>();
        Head head = new Head.None(List.of());
        for (String module : modules.names()) {
            Site site =
                    site(module, modules.object(module), weights, module.equals(headName) ? Role.HEAD : Role.OUTPUT);
            if (module.equals(headName) && site instanceof Linear linear) {
                head = new Head.PerToken(linear);
            } else {
                sites.add(site);
            }
        }
        return new Model(new Modules(sites), head);
    }

    private static Site site(String name, Fields described, Weights weights, Role role) {
        Kind kind = Kind.valueOf(described.string("kind"));
        int rows = described.integer("rows");
        int columns = described.integer("columns");
        String weight = name + ".weight";
        String bias = name + ".bias";
        return switch (kind) {
            case LINEAR -> new Linear(name, role, -1, weights.matrix(weight, rows, columns), weights.bias(bias, rows));
            case CONV1D -> weights.transposedLinear(name, role, -1, columns, rows);
            case LINEAR_WITHOUT_BIAS -> new Linear(name, role, -1, weights.matrix(weight, rows, columns), null);
            case EMBEDDING -> new Embedding(name, weights.matrix(weight, rows, columns), false);
            case NORM ->
                new Norm(name, -1, Norm.Kind.LAYER, weights.vector(weight, rows), weights.vector(bias, rows), 1e-5);
        };
    }

    private record Modules(List<Site> sites) implements Backbone {
        @Override
        public Size size() {
            return new Size(0, 0, 0, 0, 0);
        }

        @Override
        public Hidden hidden(Inputs in, Pass pass) {
            throw new UnsupportedOperationException("a tree of modules has no forward pass");
        }
    }
}
