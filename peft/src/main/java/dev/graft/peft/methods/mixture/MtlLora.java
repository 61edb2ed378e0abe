package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * MTL-LoRA (Yang et al., 2024) as AdapterHub has it: a LoRA for several tasks that share A and n matrices B, while each task has its own scales
 * of the rank's directions and its own mixture of the Bs. For task t, with s = alpha / r,
 *
 * <pre>{@code
 * p = softmax(w_t / τ)        y = W x + b + s · Σᵢ pᵢ Bᵢ diag(λ_t) A x
 * }</pre>
 *
 * with {@code A [r, in]}, {@code B [n, out, r]}, λ {@code [tasks · r]} and w {@code [tasks · n]}. The paper's λ_t is a full matrix, which
 * AdapterHub doesn't support. {@code adapter.task(t)} selects the task, per row of a batch if necessary.
 *
 * <p>Trained, for each linear layer: r · (in + n · out) + tasks · (r + n). {@link AdapterHubLora.Init} initialises A; B starts at zero, λ and w
 * at one: a new adapter changes nothing; but with {@link AdapterHubLora.Init#BERT} B starts as A does. Files, in AdapterHub's layout:
 * {@code <module>.loras.NAME.lora_A}, {@code .lora_B}, {@code .task_specific.values}, {@code .weights}. AdapterHub has a folder for each task,
 * with the same A and B in all of them; {@link #alone} returns and {@link #join} reads these. An adapter of several tasks has λ and w of all
 * tasks, and {@code tasks} in its configuration. Merges for a task. Use it for related tasks whose separate LoRAs would learn the same things;
 * {@link Poly} mixes A as well.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, MtlLora.DEFAULT.withTasks(3), 42);
 * Selection selection = Selection.of(adapter.task(2));
 * }</pre>
 *
 * @param lora the targets, the rank, alpha and dropout
 * @param ups n
 * @param sharpness τ: the smaller, the more a task prefers one B
 * @param tasks the number of tasks
 */
@RecordBuilder
public record MtlLora(AdapterHubLora lora, int ups, double sharpness, int tasks)
        implements Method, MtlLoraBuilder.With {
    /** Three matrices B, for one task. */
    public static final MtlLora DEFAULT = new MtlLora(AdapterHubLora.DEFAULT, 3, 0.05, 1);

    private static final List<String> OF_A_TASK = List.of(".task_specific.values", ".weights");

    public MtlLora {
        if (lora.scale() || lora.gated() || lora.dora() || lora.vera() != null) {
            throw new InputException("composition_mode is \"scale\", or use_gating, use_dora or vera_d is set, expected"
                    + " neither of them: MTL-LoRA adds a plain product");
        }
        if (ups < 1 || tasks < 1) {
            throw new InputException(
                    "n_up_projection is " + ups + " and tasks is " + tasks + ", expected at least 1 of each");
        }
        if (!(sharpness > 0 && Double.isFinite(sharpness))) {
            throw new InputException("weights_sharpness is " + sharpness + ", expected a number above 0");
        }
    }

    /**
     * Joins adapters for one task each, in their order, as AdapterHub's {@code share_parameters} and {@code MultiTask} do.
     *
     * @throws InputException if there are none, if they aren't of one configuration, or don't have the same A, B and head
     */
    public static Adapter join(List<Adapter> adapters) {
        if (adapters.isEmpty()) {
            throw new InputException("there is no adapter to join, expected one for each task");
        }
        Adapter first = adapters.get(0);
        if (!(first.method() instanceof MtlLora one)
                || one.tasks > 1
                || !adapters.stream()
                        .allMatch(adapter -> adapter.method().equals(one)
                                && adapter.base() == first.base()
                                && adapter.parameters()
                                        .keySet()
                                        .equals(first.parameters().keySet()))) {
            throw new InputException(
                    "adapters of one task that become one must be mtl-lora adapters of one configuration on one base");
        }
        Adapter joint = Adapter.create(first.base(), first.config().withMethod(one.withTasks(adapters.size())), 0);
        try (NoGrad noGrad = new NoGrad()) {
            joint.parameters().forEach((key, parameter) -> {
                for (int task = 0; task < adapters.size(); task++) {
                    Tensor own = adapters.get(task).value(key);
                    if (isOfTask(key)) {
                        of(task, parameter.value(), own.numel()).copy_(own);
                    } else if (task == 0) {
                        parameter.value().copy_(own);
                    } else if (!parameter.value().equal(own)) {
                        throw new InputException("the adapters don't share " + key + ": number " + (task + 1)
                                + " has other values than the first");
                    }
                }
            });
        }
        return joint;
    }

    /** Returns the adapter of one task, which can be saved as AdapterHub's folder of that task. */
    public static Adapter alone(Adapter joint, int task) {
        if (!(joint.method() instanceof MtlLora method) || task < 0 || task >= method.tasks) {
            throw new InputException(
                    joint.method().type().name() + ": the adapter has no task " + task + " of mtl-lora");
        }
        Adapter alone = Adapter.create(joint.base(), joint.config().withMethod(method.withTasks(1)), 0);
        try (NoGrad noGrad = new NoGrad()) {
            alone.parameters().forEach((key, parameter) -> {
                Tensor shared = joint.value(key);
                Tensor own = parameter.value();
                own.copy_(isOfTask(key) ? of(task, shared, own.numel()) : shared);
            });
        }
        return alone;
    }

    private static boolean isOfTask(String key) {
        return key.contains(".loras.*.") && OF_A_TASK.stream().anyMatch(key::endsWith);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        int task = g.task(tasks);
        // AdapterHub knows no other starts for several Bs.
        Initializer up = lora.init() == AdapterHubLora.Init.BERT ? lora.init().b() : Initializer.ZEROS;
        for (Linear site : lora.places(g.base())) {
            if (site.role() == Role.QUERY_KEY_VALUE) {
                throw new InputException(
                        site.name() + " makes queries, keys and values in one layer, on which AdapterHub"
                                + " has no MTL-LoRA; use poly");
            }
            String at = site.name() + ".loras.*.";
            Tensor values = ofTasks(g, at + "task_specific.values", lora.r());
            Tensor weights = ofTasks(g, at + "weights", ups);
            g.add(
                    site,
                    new Mixed(
                            g.parameter(at + "lora_A", lora.init().a(), lora.r(), site.in()),
                            g.parameter(at + "lora_B", up, ups, site.out(), lora.r()),
                            of(task, values, lora.r()),
                            of(task, weights, ups),
                            sharpness,
                            lora.alpha() / lora.r(),
                            lora.dropout()));
        }
    }

    /** Declares all tasks' values, one after the other, as vectors, which have no weight decay. */
    private Tensor ofTasks(Grafter g, String key, long size) {
        return g.parameter(key, Initializer.ONES, tasks * size);
    }

    private static Tensor of(int task, Tensor all, long size) {
        return all.narrow(0, task * size, size);
    }

    /**
     * One layer as a task has it.
     *
     * @param values λ_t {@code [r]}
     * @param weights w_t {@code [n]}
     */
    private record Mixed(Tensor a, Tensor b, Tensor values, Tensor weights, double sharpness, double s, double dropout)
            implements Effect.Delta {
        /** {@code s · Σᵢ pᵢ Bᵢ diag(λ_t) [out, r]}. */
        private Tensor up() {
            Tensor shares = Ops.scale(weights, 1 / sharpness).softmax(0);
            return Ops.scale(Ops.sum(b.mul(shares.view(-1, 1, 1)), 0, false).mul(values), s);
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            Tensor narrow = Ops.linear(input, Ops.to(a, x.scalar_type()), null);
            return Ops.linear(narrow, Ops.to(up(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            return up().matmul(a);
        }

        @Override
        public Factors factors() {
            return new Factors(a, up());
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        lora.write(c, base);
        c.put("architecture", "mtl_lora");
        c.put("n_up_projection", ups);
        c.put("task_specific_matrix_type", "singular_values");
        c.put("weights_sharpness", sharpness);
        if (tasks > 1) {
            c.put("tasks", tasks);
        }
    }

    /** Registers {@code mtl-lora}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "mtl-lora";
        }

        @Override
        public String summary() {
            return "LoRA for several tasks with one A, each with scales and a mixture of Bs of its own";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
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
            return "mtl_lora";
        }

        @Override
        public Map<String, String> optional() {
            return Map.of(
                    "tasks",
                    "how many tasks; 1 where nothing is said",
                    "init_weights",
                    "how A starts, as in adapterhub-lora: lora, ia3 or vera, and B at zero; or bert, for both; lora"
                            + " where nothing is said");
        }

        @Override
        public Method read(Fields f, Base base) {
            // AdapterHub's class for "linear" fails when it is made.
            f.choice("task_specific_matrix_type", "singular_values", "singular_values");
            return new MtlLora(
                    AdapterHubLora.read(f),
                    f.integer("n_up_projection", 1, 1),
                    f.number("weights_sharpness", 0.05),
                    f.integer("tasks", 1, 1));
        }
    }
}
