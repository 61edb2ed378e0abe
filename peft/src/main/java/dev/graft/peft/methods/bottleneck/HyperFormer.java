package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.FusedNorm;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * HyperFormer++ (Mahabadi et al., 2021): one adapter for several tasks, whose bottlenecks a shared network computes from the task, the layer and
 * the place. With embeddings of the three, all {@code [e]},
 *
 * <pre>{@code
 * c = LN(W₂ relu(W₁ [z_task; z_layer; z_place] + b₁) + b₂)        θ = G c + g
 * y = LN(x + h + LN(U σ(D h + d) + u; γ, β))                      D, d, U, u, γ, β cut out of θ
 * }</pre>
 *
 * behind every attention and feed-forward block, {@code D [m, hidden]}, m = hidden / reduction, {@code W₁ [k, 3 e]}, {@code W₂ [c, k]}.
 * {@code adapter.task(i)} selects the task, per row of a batch if necessary. Embeddings of tasks may be given instead of learned; then the
 * adapter also supports tasks that it was never trained on.
 *
 * <p>Trained: (tasks + layers + 2) · e, without given embeddings of tasks, 3 e · k + k + k · c + c + 2 c, and (c + 1) · (2 · hidden · m + m + 3 ·
 * hidden): hardly more for a hundred tasks than for one. Embeddings start normal with deviation 1, W₁ and W₂ as {@code nn.Linear}, G normal with
 * deviation 0.01, g at zero: γ and β near zero, so near the identity. Files, in AdapterHub's layout under names of Graft's own:
 * {@code hyperformer.NAME.{tasks,layers,places,0.weight,…}}. Doesn't merge. Use it for many related tasks, or for a new task without data.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, HyperFormer.DEFAULT.withTasks(3), 42);
 * Selection selection = Selection.of(adapter.task(2));
 * }</pre>
 *
 * @param tasks the number of tasks
 * @param given the embeddings of the tasks, or empty if they are learned
 * @param embedding e
 * @param inside k
 * @param code the size of c
 * @param reduction hidden / m
 * @param activation σ by AdapterHub's name
 */
@RecordBuilder
public record HyperFormer(
        int tasks, List<List<Double>> given, int embedding, int inside, int code, double reduction, String activation)
        implements Method, HyperFormerBuilder.With {
    /** One task, embeddings of 64, hidden / 32. */
    public static final HyperFormer DEFAULT = new HyperFormer(1, List.of(), 64, 128, 64, 32, "gelu");

    public HyperFormer {
        given = given.stream().map(List::copyOf).toList();
        if (tasks < 1) {
            throw new InputException("tasks is " + tasks + ", expected at least 1");
        }
        if (embedding < 1 || inside < 1 || code < 1) {
            throw new InputException("embedding_size is " + embedding + ", inside_size is " + inside
                    + " and code_size is " + code + ", expected at least 1");
        }
        if (!(reduction > 0 && Double.isFinite(reduction))) {
            throw new InputException("reduction_factor is " + reduction + ", expected a number above 0");
        }
        AdapterHubFields.activation(activation);
        FixedTensor.requireSize("task_embeddings", given, tasks, embedding);
    }

    /** Returns a copy for tasks with these embeddings, all of one size. */
    public HyperFormer withTaskEmbeddings(List<List<Double>> vectors) {
        int size = vectors.isEmpty() ? 0 : vectors.get(0).size();
        return new HyperFormer(vectors.size(), vectors, size, inside, code, reduction, activation);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        String at = AdapterHubFields.root(g.base()) + "hyperformer.*.";
        long hidden = g.base().backbone().hiddenSize();
        int layers = g.base().backbone().layers();
        Tensor taskTable = given.isEmpty()
                ? g.parameter(at + "tasks", Initializer.normal(1), tasks, embedding)
                : g.frozen(at + "tasks", FixedTensor.initializer(given), tasks, embedding);
        HyperNetwork network = new HyperNetwork(
                taskTable,
                g.parameter(at + "layers", Initializer.normal(1), layers, embedding),
                g.parameter(at + "places", Initializer.normal(1), 2, embedding),
                g.parameter(at + "0.weight", Initializer.KAIMING, inside, 3L * embedding),
                g.parameter(at + "0.bias", Initializer.uniform(1 / Math.sqrt(3.0 * embedding)), inside),
                g.parameter(at + "2.weight", Initializer.KAIMING, code, inside),
                g.parameter(at + "2.bias", Initializer.uniform(1 / Math.sqrt(inside)), code),
                g.parameter(at + "norm.weight", Initializer.ONES, code),
                g.parameter(at + "norm.bias", Initializer.ZEROS, code),
                BottleneckGenerator.of(
                        g,
                        at + "generator",
                        code,
                        hidden,
                        Math.max(1, BottleneckWidth.of(hidden, reduction)),
                        true,
                        true,
                        0.01));
        int task = g.task(tasks);
        for (Site site : g.base().sites()) {
            if (site instanceof Block block && block.kind() != Block.Kind.CROSS_ATTENTION) {
                g.add(block, new GeneratedBottleneck(network, task, block, AdapterHubFields.activation(activation)));
            }
        }
    }

    private record HyperNetwork(
            Tensor tasks,
            Tensor layers,
            Tensor places,
            Tensor w1,
            Tensor b1,
            Tensor w2,
            Tensor b2,
            Tensor gamma,
            Tensor beta,
            BottleneckGenerator generator) {
        /** Returns c, {@code [c]}. */
        Tensor code(int task, Block block) {
            Tensor z = Ops.cat(
                    0,
                    tasks.select(0, task),
                    layers.select(0, block.layer()),
                    places.select(0, block.kind() == Block.Kind.ATTENTION ? 0 : 1));
            return FusedNorm.layerNorm(Ops.linear(Ops.linear(z, w1, b1).relu(), w2, b2), gamma, beta, 1e-5);
        }
    }

    private record GeneratedBottleneck(HyperNetwork network, int task, Block block, Activation activation)
            implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
            return output.add(network.generator.apply(network.code(task, block), output, activation));
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "hyperformer");
        c.put("tasks", tasks);
        FixedTensor.write(c, "task_embeddings", given);
        c.put("embedding_size", embedding);
        c.put("inside_size", inside);
        c.put("code_size", code);
        AdapterHubFields.put(c, "reduction_factor", reduction);
        c.put("non_linearity", activation);
    }

    /** Registers {@code hyperformer}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "hyperformer";
        }

        @Override
        public String summary() {
            return "one adapter for several tasks, made by a network of the task, the layer and the place";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String tasksField() {
            return "tasks";
        }

        @Override
        public String peftType() {
            return "hyperformer";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture");
            return new HyperFormer(
                    f.integer("tasks", 1, 1),
                    FixedTensor.read(f, "task_embeddings"),
                    f.integer("embedding_size", 64, 1),
                    f.integer("inside_size", 128, 1),
                    f.integer("code_size", 64, 1),
                    f.number("reduction_factor", 32),
                    f.choice("non_linearity", "gelu", AdapterHubFields.activations()));
        }
    }
}
