package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * GLoRA, generalised LoRA (Chavan et al., 2023): {@code y = (W + W ⊙ A + B) x + b + b ⊙ D + E + W C} with W and b frozen. A and B are
 * {@code [out, in]}, C is {@code [in, 1]}, D and E are {@code [out]}; each is a low-rank product, a vector for the outputs (C: for the inputs),
 * one number, or absent. All start at zero, so a new adapter changes nothing. A layer without a bias has neither C, D nor E.
 *
 * <p>Trained for a layer: A and B 2 · r · (in + out), 2 · out or 2; C r · (in + 1) or in; D and E 2 · out or 2. Files:
 * {@code <module>.glora_A.Xd [out, r]} and {@code Xu [r, in]}, or {@code X}, or {@code zeros} for nothing; {@code glora_B} to {@code glora_E}
 * likewise. Merges into W and b. Use it to try scales, shifts and low-rank updates in one configuration. Every call computes ΔW. Not on
 * embeddings and convolutions.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Glora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank of low-rank products
 * @param weights the form of A and B
 * @param coupling the form of C
 * @param biases the form of D and E
 * @param startAtZero whether a new adapter changes nothing
 */
@RecordBuilder
public record Glora(
        int r, Form weights, Form coupling, Form biases, Bias bias, TargetModules targets, boolean startAtZero)
        implements Method, GloraBuilder.With {
    /** Low-rank A, B and C of rank 8, numbers for D and E, every linear layer but the head. */
    public static final Glora DEFAULT =
            new Glora(8, Form.LORA, Form.LORA, Form.CONSTANT, Bias.NONE, TargetModules.ALL_LINEAR, true);

    private static final double DEVIATION = 0.02;

    /** The form of a matrix. */
    public enum Form {
        LORA,
        VECTOR,
        CONSTANT,
        NONE;

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Glora {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (coupling == Form.CONSTANT) {
            throw new InputException("config_C is \"constant\", expected \"lora\", \"vector\" or \"none\"");
        }
        if (biases == Form.LORA) {
            throw new InputException("config_D_E is \"lora\", expected \"vector\", \"constant\" or \"none\"");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "GLoRA");
        for (Linear site : sites) {
            long in = site.in();
            long out = site.out();
            boolean biased = site.bias() != null;
            Form shifts = biased ? biases : Form.NONE;
            g.add(
                    site,
                    new General(
                            site,
                            g.base().numerics().small(),
                            part(g, site, "A", weights, out, in),
                            part(g, site, "B", weights, out, in),
                            part(g, site, "C", biased ? coupling : Form.NONE, in, 1),
                            part(g, site, "D", shifts, out),
                            part(g, site, "E", shifts, out)));
        }
        bias.graft(g, sites);
    }

    /** A matrix of that shape, or a vector. */
    private Part part(Grafter g, Linear site, String name, Form form, long... shape) {
        String at = "glora_" + name + ".";
        return switch (form) {
            case LORA ->
                new Part(
                        g.parameter(
                                site, at + "Xd", startAtZero ? Initializer.ZEROS : Initializer.KAIMING, shape[0], r),
                        g.parameter(site, at + "Xu", Initializer.KAIMING, r, shape[1]));
            case VECTOR -> {
                boolean column = shape.length == 2;
                Initializer initializer =
                        startAtZero ? Initializer.ZEROS : Initializer.uniform(column ? 1 : 1 / Math.sqrt(shape[0]));
                yield new Part(
                        g.parameter(site, at + "X", initializer, column ? new long[] {shape[0], 1} : shape), null);
            }
            case CONSTANT ->
                new Part(
                        g.parameter(site, at + "X", startAtZero ? Initializer.ZEROS : Initializer.normal(DEVIATION), 1),
                        null);
            case NONE -> {
                g.buffer(site.name() + "." + at + "zeros", true, Initializer.ZEROS, shape);
                yield Part.NONE;
            }
        };
    }

    /** One of A to E: a product, or what is spread over its shape; null for nothing. */
    private record Part(@Nullable Tensor x, @Nullable Tensor up) {
        static final Part NONE = new Part(null, null);

        @Nullable
        Tensor value() {
            return x == null || up == null ? x : x.matmul(up);
        }
    }

    /** W and b are the frozen ones, whatever other adapters are there. */
    private record General(Linear frozen, ScalarType type, Part a, Part b, Part c, Part d, Part e)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor shift = bias();
            return Ops.linear(
                    x, Ops.to(weight(), x.scalar_type()), shift == null ? null : Ops.to(shift, x.scalar_type()));
        }

        @Override
        public Tensor weight() {
            Tensor w = Ops.to(frozen.weight(), type);
            Tensor scale = a.value();
            Tensor shift = b.value();
            Tensor scaled = scale == null ? Tensors.zeros(type, w.size(0), w.size(1)) : w.mul(scale);
            return shift == null ? scaled : scaled.add(shift);
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor own = frozen.bias();
            if (own == null) {
                return null;
            }
            Tensor through = c.value();
            Tensor scale = d.value();
            Tensor shift = e.value();
            Tensor sum = scale == null ? null : Ops.to(own, type).mul(scale);
            sum = plus(sum, shift);
            return plus(
                    sum,
                    through == null
                            ? null
                            : Ops.to(frozen.weight(), type).matmul(through).squeeze(-1));
        }

        private static @Nullable Tensor plus(@Nullable Tensor one, @Nullable Tensor other) {
            return one == null || other == null ? one == null ? other : one : one.add(other);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.withExplicitNames(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        json.put("r", r);
        json.put("config_A_B", weights.word());
        json.put("config_C", coupling.word());
        json.put("config_D_E", biases.word());
        json.put("init_weights", startAtZero);
        bias.write(json, "glora_only");
    }

    /** Registers {@code glora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "glora";
        }

        @Override
        public String summary() {
            return "scales and shifts weights and biases by low-rank, vector or constant terms";
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
        public String peftType() {
            return "GLORA";
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Glora(
                    config.integer("r", 8, 1),
                    form(config, "config_A_B", "lora", "lora", "vector", "constant", "none"),
                    form(config, "config_C", "lora", "lora", "vector", "none"),
                    form(config, "config_D_E", "constant", "vector", "constant", "none"),
                    Bias.read(config, "glora_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }

        private static Form form(Fields config, String field, String absent, String... words) {
            return Form.valueOf(config.choice(field, absent, words).toUpperCase(Locale.ROOT));
        }
    }
}
