package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * MiSS, matrix shard sharing (Kang and Yin, 2024; formerly Bone): {@code y = W x + b + Dᵀ Σ_p x_p} with {@code D [r, out]} and parts x_p of x of
 * size r (the last one padded with zeros), so all blocks of columns of W share one update. In mode {@code mini} {@code D [r, mini_r]} repeats
 * over the outputs. In mode {@code bat} D is {@code [out / r, r, r]} and each block of W changes by a product with itself:
 * {@code W_ab ← W_ab + W_ab D_a + D_a}. D starts at zero, so a new adapter changes nothing.
 *
 * <p>Trained: r · out, r · mini_r or r · out for a layer: half of LoRA's or less. Files: {@code <module>.miss_block}. Merges. Use it as LoRA at
 * half the size. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Miss.DEFAULT, 42);
 * }</pre>
 *
 * @param r the size of the parts
 * @param miniR the number of outputs of D in mode {@code mini}
 * @param dropout probability that an input of the update is dropped in training; not in mode {@code bat}
 */
@RecordBuilder
public record Miss(int r, int miniR, double dropout, Mode mode, Bias bias, TargetModules targets)
        implements Method, MissBuilder.With {
    /** Parts of 64, every linear layer but the head. */
    public static final Miss DEFAULT = new Miss(64, 1, 0, Mode.SHARED, Bias.NONE, TargetModules.ALL_LINEAR);

    /** The form of the update D, and its initialisation. */
    public enum Mode {
        /** One D for all parts. */
        SHARED,
        /** One D for all parts with a random start: a new adapter changes the output. */
        RANDOM,
        /** Products with the blocks of W. */
        BAT,
        /** One D, repeated over the outputs. */
        MINI
    }

    public Miss {
        if (r < 1 || miniR < 1) {
            throw new InputException((r < 1 ? "r is " + r : "mini_r is " + miniR) + ", expected at least 1");
        }
        DropoutProbability.require("miss_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        if (mode == Mode.BAT && dropout > 0 && !g.isLoading()) {
            throw new InputException(
                    "miss_dropout is " + dropout + ", expected 0 with init_weights \"bat\": it changes W"
                            + " as a whole and has no input to drop from");
        }
        List<Linear> sites = g.linears(targets, "MiSS");
        for (Linear site : sites) {
            check(site);
            switch (mode) {
                case BAT -> {
                    Tensor d = g.parameter(site, "miss_block", Initializer.ZEROS, site.out() / r, r, r);
                    g.add(site, new Blocks(d));
                }
                case MINI -> {
                    Tensor d = g.parameter(site, "miss_block", Initializer.ZEROS, r, miniR);
                    g.add(site, new Shared(d, site.in(), site.out(), dropout));
                }
                case SHARED, RANDOM -> {
                    Initializer initializer = mode == Mode.RANDOM ? Initializer.KAIMING : Initializer.ZEROS;
                    Tensor d = g.parameter(site, "miss_block", initializer, r, site.out());
                    g.add(site, new Shared(d, site.in(), site.out(), dropout));
                }
            }
        }
        bias.graft(g, sites);
    }

    private void check(Linear site) {
        String layer = site.name() + " [" + site.out() + ", " + site.in() + "]";
        if (r > site.in()) {
            throw new InputException("r is " + r + ", expected at most " + site.in() + ", the inputs of " + layer);
        }
        if (mode == Mode.BAT && (site.in() % r != 0 || site.out() % r != 0)) {
            throw new InputException(
                    "r is " + r + ", expected a divisor of both sizes of " + layer + " with init_weights \"bat\"");
        }
        if (mode == Mode.MINI && site.out() % miniR != 0) {
            throw new InputException("mini_r is " + miniR + ", expected a divisor of the outputs of " + layer);
        }
    }

    /** One D for all pieces of the input, repeated over the outputs if it has fewer. */
    private record Shared(Tensor d, long in, long out, double dropout) implements LinearUpdate {
        @Override
        public Tensor transform(Tensor x) {
            long r = d.size(0);
            Tensor sum = Ops.sum(LinearUpdate.chunks(LinearUpdate.padded(x, r), r), -2, false);
            Tensor y = sum.matmul(Ops.to(d, x.scalar_type()));
            long times = out / d.size(1);
            if (times == 1) {
                return y;
            }
            long[] repeats = new long[(int) y.dim()];
            Arrays.fill(repeats, 1);
            repeats[repeats.length - 1] = times;
            return y.repeat(repeats);
        }

        @Override
        public ScalarType type() {
            return d.scalar_type();
        }
    }

    /** Blocks of the weight, each with its product. */
    private record Blocks(Tensor d) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            long r = d.size(-1);
            long out = weight.size(0) / r;
            Tensor w = Ops.to(weight, d.scalar_type());
            // [out / r, r, in / r, r]: the blocks of a row of blocks side by side
            Tensor blocks = w.view(out, r * (weight.size(1) / r), r);
            Tensor change = blocks.bmm(d).view(out, r, weight.size(1) / r, r).add(d.unsqueeze(2));
            return w.add(change.reshape(weight.size(0), weight.size(1)));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor bias = inner.bias();
            ScalarType type = inner.weight().scalar_type();
            return Ops.linear(Ops.to(x, type), Ops.to(weight(inner.weight()), type), bias);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("mini_r", miniR);
        json.put("miss_dropout", dropout);
        switch (mode) {
            case SHARED -> json.put("init_weights", true);
            case RANDOM -> json.put("init_weights", false);
            case BAT -> json.put("init_weights", "bat");
            case MINI -> json.put("init_weights", "mini");
        }
        bias.write(json, "MiSS_only");
        targets.write(json);
    }

    /** Registers {@code miss}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "miss";
        }

        @Override
        public String summary() {
            return "adds one trained block that all pieces of the input share";
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
            return "MISS";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Miss(
                    config.integer("r", 64, 1),
                    config.integer("mini_r", 1, 1),
                    config.number("miss_dropout", 0),
                    mode(config),
                    Bias.read(config, "MiSS_only"),
                    TargetModules.read(config));
        }

        private static Mode mode(Fields config) {
            JsonNode value = config.node("init_weights");
            if (value != null && value.isString()) {
                return config.choice("init_weights", "", "bat", "mini").equals("bat") ? Mode.BAT : Mode.MINI;
            }
            return config.bool("init_weights", true) ? Mode.SHARED : Mode.RANDOM;
        }
    }
}
