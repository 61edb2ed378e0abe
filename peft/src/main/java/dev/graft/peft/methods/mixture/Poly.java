package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Polytropon (Ponti et al., 2022), and with several splits its multi-head routing (Caccia et al., 2023): tasks share low-rank skills, and each
 * task has its own mixture of them at each layer. For task t, with skills {@code A [q, n, in/q, r]} and {@code B [q, n, r, out/q]} in q splits,
 *
 * <pre>{@code
 * z = σ(Z_t) / Σ σ(Z_t)                          Z [tasks, q n], z [q, n]
 * y = W x + b + 1/r (Σₛ z_s A_s) (Σₛ z_s B_s) x
 * }</pre>
 *
 * where the mixtures of A's splits are stacked, those of B side by side. {@code adapter.task(t)} selects the task, per row of a batch if
 * necessary. In training z is sampled for each step and task: {@code σ(Z_t + log u - log (1 - u))}, u uniform; PEFT samples it for each row.
 *
 * <p>Trained: n · r · (in + out) + tasks · q · n for each layer. A starts Kaiming-uniform and B at zero, Z within ±0.001, so skills start with
 * equal shares. Files: {@code <module>.poly_lora_A}, {@code .poly_lora_B}, {@code .poly_router.module_logits}. Merges for a task. Use it for many
 * similar tasks; a new one can then be learned by its few numbers in Z.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Poly.DEFAULT.withTasks(3), 42);
 * Selection selection = Selection.of(adapter.task(2));
 * }</pre>
 *
 * @param r the rank of a skill
 * @param targets the modules that are adapted
 * @param tasks the number of tasks
 * @param skills n, the number of skills of each layer
 * @param splits q
 * @param identity whether B starts at zero; else as A does
 */
@RecordBuilder
public record Poly(int r, TargetModules targets, int tasks, int skills, int splits, boolean identity)
        implements Method, PolyBuilder.With {
    /** PEFT's: rank 8, four skills, for one task. */
    public static final Poly DEFAULT = new Poly(8, TargetModules.ALL_LINEAR, 1, 4, 1, true);

    private static final String NOISE = ".poly_noise";

    /** The lower bound of a sum of shares, as in PEFT. */
    private static final double LEAST = 1e-12;

    public Poly {
        if (r < 1 || tasks < 1 || skills < 1 || splits < 1) {
            throw new InputException("r is " + r + ", n_tasks " + tasks + ", n_skills " + skills + " and n_splits "
                    + splits + ", expected at least 1 of each");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        int task = g.task(tasks);
        for (Linear site : g.linears(targets, "poly")) {
            if (site.in() % splits != 0 || site.out() % splits != 0) {
                throw new InputException("n_splits is " + splits + ", but " + site.name() + " has " + site.in()
                        + " inputs and " + site.out() + " outputs, which it must divide");
            }
            long in = site.in() / splits;
            long out = site.out() / splits;
            Initializer up = identity ? Initializer.ZEROS : Initializer.uniform(1 / Math.sqrt(r));
            Tensor a = g.parameter(
                    site, "poly_lora_A", Initializer.uniform(1 / Math.sqrt((double) in)), splits, skills, in, r);
            Tensor b = g.parameter(site, "poly_lora_B", up, splits, skills, r, out);
            Tensor logits = g.parameter(
                    site, "poly_router.module_logits", Initializer.uniform(1e-3), tasks, (long) splits * skills);
            // What a step draws; zeros until then.
            Tensor noise = g.buffer(site.name() + NOISE, false, Initializer.ZEROS, tasks, (long) splits * skills);
            g.add(site, new Mixed(a, b, logits.select(0, task), noise.select(0, task)));
        }
    }

    /**
     * The skills of one layer as a task mixes them.
     *
     * @param logits {@code Z_t [q n]}
     * @param noise {@code log u - log (1 - u)}, of the same shape
     */
    private record Mixed(Tensor a, Tensor b, Tensor logits, Tensor noise) implements Effect.Delta {
        /** z {@code [q, n, 1, 1]}. */
        private Tensor shares(boolean drawn) {
            Tensor kept = (drawn ? logits.add(noise) : logits).sigmoid().view(a.size(0), a.size(1));
            return kept.div(Ops.plus(Ops.sum(kept, 1, true), LEAST))
                    .unsqueeze(-1)
                    .unsqueeze(-1);
        }

        /** {@code [in, r]}. */
        private Tensor down(Tensor shares) {
            return Ops.sum(a.mul(shares), 1, false).reshape(-1, a.size(3));
        }

        /** {@code [r, out]}, divided by r. */
        private Tensor up(Tensor shares) {
            Tensor mixed = Ops.sum(b.mul(shares), 1, false).transpose(0, 1).reshape(b.size(2), -1);
            return Ops.scale(mixed, 1.0 / b.size(2));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor shares = shares(pass.isTraining());
            Tensor narrow = x.matmul(Ops.to(down(shares), x.scalar_type()));
            return narrow.matmul(Ops.to(up(shares), x.scalar_type()));
        }

        @Override
        public Tensor weight() {
            Factors factors = factors();
            return factors.b().matmul(factors.a());
        }

        @Override
        public Factors factors() {
            Tensor shares = shares(false);
            return new Factors(down(shares).t(), up(shares).t());
        }
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<String> keys = adapter.parameters().keySet().stream()
                .filter(key -> key.endsWith(NOISE))
                .toList();
        return new TrainingRule() {
            @Override
            public void beforeStep(long step) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    for (String key : keys) {
                        Tensor noise = adapter.value(key);
                        Tensor u = Rng.of(run.seed(), key + step).uniform(0, 1, Tensors.shape(noise));
                        Tensor inside = u.clamp_min(new Scalar(1e-6)).clamp_max(new Scalar(1 - 1e-6));
                        noise.copy_(inside.log().sub(inside.neg().log1p()));
                    }
                }
            }
        };
    }

    @Override
    public void write(ObjectNode c, Base base) {
        // PEFT's file has no field for layers: where some are chosen, every module by its name.
        TargetModules stated = targets.layers() == null
                ? targets
                : TargetModules.names(
                        targets.match(base, List.of()).stream().map(Site::name).toArray(String[]::new));
        stated.write(c);
        c.remove(List.of("layers_to_transform", "layers_pattern"));
        c.put("r", r);
        c.put("n_tasks", tasks);
        c.put("n_skills", skills);
        c.put("n_splits", splits);
        c.put("init_weights", identity);
        c.put("poly_type", "poly");
    }

    /** Registers {@code poly}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "poly";
        }

        @Override
        public String summary() {
            return "low-rank skills that several tasks share, each in a mixture of its own";
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
        public @Nullable String tasksField() {
            return "n_tasks";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public String peftType() {
            return "POLY";
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields f, Base base) {
            f.choice("poly_type", "poly", "poly");
            return new Poly(
                    f.integer("r", 8, 1),
                    TargetModules.read(f),
                    f.integer("n_tasks", 1, 1),
                    f.integer("n_skills", 4, 1),
                    f.integer("n_splits", 1, 1),
                    f.bool("init_weights", true));
        }
    }
}
