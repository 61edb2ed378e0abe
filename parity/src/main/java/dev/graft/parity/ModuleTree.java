package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.formats.TensorSource;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A frozen model that is only a list of modules by name and kind, to try which of them a configuration chooses, or a single layer with
 * nothing around it. There is no forward pass: its layers are called through the hooks.
 */
final class ModuleTree implements Architecture {
    /** The prefix of tensor names before the names of the modules. */
    static final String PREFIX = "base.";

    /** The kinds of module that there are sites for. */
    enum Kind {
        LINEAR("Linear"),
        LINEAR_WITHOUT_BIAS("Linear-nobias"),
        /** A linear layer whose weight is stored as {@code [in, out]}. */
        CONV1D("Conv1D"),
        CONVOLUTION_1D("Conv1d"),
        CONVOLUTION_2D("Conv2d"),
        CONVOLUTION_3D("Conv3d"),
        /** {@code nn.MultiheadAttention}: the projections in, packed, and the one out. */
        ATTENTION("MultiheadAttention"),
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

        /** Returns the number of dimensions of a kernel; 0 if the module has none. */
        int dimensions() {
            return switch (this) {
                case CONVOLUTION_1D -> 1;
                case CONVOLUTION_2D -> 2;
                case CONVOLUTION_3D -> 3;
                default -> 0;
            };
        }
    }

    /** The stride, padding and other geometry of the only module's kernels; null for the default. */
    private final Convolution.@Nullable Geometry window;

    private ModuleTree(Convolution.@Nullable Geometry window) {
        this.window = window;
    }

    /** A base of these modules, whose sizes are those of the tensors; the head is the module of that name, if it is one of them. */
    static Base of(String name, Map<String, Kind> modules, String head, TensorSource tensors) {
        return of(name, modules, head, null, tensors);
    }

    /** A base of one module. */
    static Base of(String name, String module, Kind kind, Convolution.@Nullable Geometry window, TensorSource tensors) {
        return of(name, Map.of(module, kind), "", window, tensors);
    }

    private static Base of(
            String name,
            Map<String, Kind> modules,
            String head,
            Convolution.@Nullable Geometry window,
            TensorSource tensors) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("head", head);
        ObjectNode described = config.putObject("modules");
        modules.forEach((module, kind) -> {
            ObjectNode one = described.putObject(module);
            one.put("kind", kind.name());
            String weight = PREFIX + module + (kind == Kind.ATTENTION ? ".in_proj_weight" : ".weight");
            ArrayNode shape = one.putArray("shape");
            for (long size : tensors.info(weight).shape()) {
                shape.add(Math.toIntExact(size));
            }
            one.put("bias", tensors.names().contains(PREFIX + module + ".bias"));
        });
        Task task = modules.containsKey(head) ? Task.CAUSAL_LM : Task.FEATURE_EXTRACTION;
        return Base.of(
                name,
                new PretrainedCheckpoint(Fields.of(name, config), tensors, Path.of(name)),
                new ModuleTree(window),
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
    public String classNamePrefix() {
        return "ModuleTree";
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        Fields modules = config.object("modules");
        String headName = config.string("head");
        List<Site> sites = new ArrayList<>();
        Head head = new Head.NoHead(List.of());
        for (String module : modules.names()) {
            List<Site> made =
                    sites(module, modules.object(module), weights, module.equals(headName) ? Role.HEAD : Role.OUTPUT);
            if (module.equals(headName) && made.get(0) instanceof Linear linear) {
                head = new Head.PerToken(linear);
            } else {
                sites.addAll(made);
            }
        }
        return new Model(new Modules(sites), head);
    }

    private List<Site> sites(String name, Fields described, Weights weights, Role role) {
        Kind kind = Kind.valueOf(described.string("kind"));
        List<Integer> sizes = described.integersOrNull("shape");
        long[] shape = sizes == null
                ? new long[0]
                : sizes.stream().mapToLong(Integer::longValue).toArray();
        long rows = shape[0];
        long columns = shape[shape.length - 1];
        String weight = name + ".weight";
        String bias = name + ".bias";
        return switch (kind) {
            case LINEAR ->
                List.of(new Linear(name, role, -1, weights.matrix(weight, rows, columns), weights.bias(bias, rows)));
            case LINEAR_WITHOUT_BIAS ->
                List.of(new Linear(name, role, -1, weights.matrix(weight, rows, columns), null));
            case CONV1D -> List.of(weights.transposedLinear(name, role, -1, columns, rows, true));
            case CONVOLUTION_1D, CONVOLUTION_2D, CONVOLUTION_3D ->
                List.of(new Convolution(
                        name,
                        role,
                        -1,
                        weights.kernels(weight, shape),
                        described.bool("bias", true) ? weights.bias(bias, rows) : null,
                        window == null ? Convolution.Geometry.unit(kind.dimensions(), 1) : window));
            case ATTENTION ->
                List.of(
                        new Linear(
                                name,
                                role,
                                -1,
                                weights.matrix(name + ".in_proj_weight", rows, columns),
                                weights.bias(name + ".in_proj_bias", rows)),
                        new Linear(
                                name + ".base_layer.out_proj",
                                role,
                                -1,
                                weights.matrix(name + ".out_proj.weight", columns, columns),
                                weights.bias(name + ".out_proj.bias", columns)));
            case EMBEDDING -> List.of(new Embedding(name, weights.matrix(weight, rows, columns), false));
            case NORM ->
                List.of(new Norm(
                        name, -1, Norm.Kind.LAYER, weights.vector(weight, rows), weights.vector(bias, rows), 1e-5));
        };
    }

    private record Modules(List<Site> sites) implements Backbone {
        @Override
        public Size size() {
            return new Size(0, 0, 0, 0, 0);
        }

        @Override
        public HiddenStates forward(Inputs in, ForwardPass pass) {
            throw new UnsupportedOperationException("a tree of modules has no forward pass");
        }
    }
}
