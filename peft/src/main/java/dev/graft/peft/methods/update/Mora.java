package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Bias;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.peft.methods.lora.LoraMark;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * MoRA (Jiang et al., 2024): {@code y = W x + b + decompress(M compress(x))} with one trained square matrix {@code M [r̂, r̂]}. It has as many
 * values as LoRA of rank r, r̂ = ⌊√(r · (in + out)) + ½⌋, but a rank of up to r̂. {@link Grouping} defines compress and decompress. M starts at
 * zero, so a new adapter changes nothing.
 *
 * <p>Trained: r̂² ≈ r · (in + out) for a layer. Files, as in the authors' fork of PEFT: those of LoRA with {@code use_mora},
 * {@code <module>.lora_A.weight} and an equal {@code <module>.lora_B.weight}; PEFT itself lacks MoRA. Merges. Use it to learn new knowledge
 * besides a task: continued pretraining, memorising. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Mora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank of the LoRA with as many values
 * @param grouping the mapping of inputs and outputs to M
 * @param dropout probability that an input of the update is dropped in training
 */
@RecordBuilder
public record Mora(PatternValue<Integer> r, Grouping grouping, double dropout, Bias bias, TargetModules targets)
        implements Method, MoraBuilder.With {
    /** The size of LoRA of rank 8, with rotations, for every linear layer but the head. */
    public static final Mora DEFAULT =
            new Mora(PatternValue.of(8), Grouping.ROTATION, 0, Bias.NONE, TargetModules.ALL_LINEAR);

    /**
     * The mapping of inputs and outputs to M, by its number in the authors' code. Inputs are summed by their index modulo r̂ (the start of x pads
     * the last round) or in runs of neighbours. Outputs repeat M's output as a whole, or each number in a run. With rotations (of RoPE, by the
     * part's index) M maps each part of r̂ inputs alone. The concatenated results are repeated if they are too few, and cut off if they are too
     * many.
     */
    public enum Grouping {
        REST_TO_WHOLE(1),
        RUN_TO_RUN(2),
        RUN_TO_WHOLE(3),
        REST_TO_RUN(4),
        ROTATION(6);

        private final int number;

        Grouping(int number) {
            this.number = number;
        }

        private boolean sumsRuns() {
            return this == RUN_TO_RUN || this == RUN_TO_WHOLE;
        }

        private boolean repeatsRuns() {
            return this == RUN_TO_RUN || this == REST_TO_RUN;
        }
    }

    public Mora {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        DropoutProbability.require("lora_dropout", dropout);
    }

    /** Returns a copy with this rank for every module. */
    public Mora withR(int rank) {
        return withR(PatternValue.of(rank));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "MoRA");
        for (Linear site : sites) {
            long side = side(r.at(site.name()), site.in(), site.out());
            if (side > 2 * site.in()) {
                throw new InputException("r is " + r.at(site.name()) + ", which makes a square matrix of " + side
                        + " a side for " + site.name() + " with " + site.in() + " inputs; expected a smaller r");
            }
            Tensor m = g.parameter(site, "lora_A.weight", Initializer.ZEROS, side, side);
            g.alias(site.name() + ".lora_B.weight", m);
            g.add(site, new Square(m, grouping, site.in(), site.out(), dropout));
        }
        bias.graft(g, sites);
    }

    /** r̂; with rotations an even one. */
    private long side(int rank, long in, long out) {
        long side = (long) (Math.sqrt((double) (in + out) * rank) + 0.5);
        return grouping == Grouping.ROTATION ? side / 2 * 2 : side;
    }

    private record Square(Tensor m, Grouping grouping, long in, long out, double dropout) implements LinearUpdate {
        @Override
        public Tensor transform(Tensor x) {
            long side = m.size(0);
            Tensor square = Ops.to(m, x.scalar_type());
            if (grouping == Grouping.ROTATION) {
                return repeated(Ops.linear(rotated(rounds(x)), square, null).flatten(-2, -1));
            }
            Tensor sums = grouping.sumsRuns() ? runs(x) : Ops.sum(rounds(x), -2, false);
            Tensor y = Ops.linear(sums, square, null);
            if (!grouping.repeatsRuns()) {
                return repeated(y);
            }
            // The first runs are longer by one where the outputs don't divide.
            long longer = out % side;
            long length = out / side;
            return Ops.cat(
                    -1,
                    interleaved(y.narrow(-1, 0, longer), length + 1),
                    interleaved(y.narrow(-1, longer, side - longer), length));
        }

        private static Tensor interleaved(Tensor y, long times) {
            return y.repeat_interleave(times, new LongOptional(-1), new LongOptional());
        }

        /** x in pieces of r̂, the last one filled from the start of x. */
        private Tensor rounds(Tensor x) {
            long side = m.size(0);
            long missing = (side - in % side) % side;
            return LinearUpdate.chunks(missing == 0 ? x : Ops.cat(-1, x, x.narrow(-1, 0, missing)), side);
        }

        /** Sums of r̂ runs of neighbours; the first ones are longer by one where the inputs don't divide. */
        private Tensor runs(Tensor x) {
            long side = m.size(0);
            long longer = in % side;
            long length = in / side;
            Tensor first = Ops.sum(x.narrow(-1, 0, longer * (length + 1)).unflatten(-1, longer, length + 1), -1, false);
            Tensor last = Ops.sum(
                    x.narrow(-1, longer * (length + 1), (side - longer) * length)
                            .unflatten(-1, side - longer, length),
                    -1,
                    false);
            return Ops.cat(-1, first, last);
        }

        private Tensor repeated(Tensor y) {
            Tensor[] copies = new Tensor[Math.toIntExact((out + y.size(-1) - 1) / y.size(-1))];
            Arrays.fill(copies, y);
            return Ops.cat(-1, copies).narrow(-1, 0, out);
        }

        /** Pieces {@code [..., pieces, r̂]}, each turned by the angles of its index. */
        private static Tensor rotated(Tensor pieces) {
            long side = pieces.size(-1);
            long count = pieces.size(-2);
            Tensor exponents = Ops.scale(Ops.to(Tensors.arange(side / 2), ScalarType.Float), 2.0 / side);
            Tensor frequencies = Ops.scale(exponents, -Math.log(10000)).exp();
            Tensor half =
                    Ops.to(Tensors.arange(count), ScalarType.Float).unsqueeze(1).mul(frequencies);
            Tensor angles = Ops.cat(-1, half, half);
            Tensor turned = Ops.cat(
                    -1, pieces.narrow(-1, side / 2, side / 2).mul(new Scalar(-1)), pieces.narrow(-1, 0, side / 2));
            ScalarType type = pieces.scalar_type();
            return pieces.mul(Ops.to(angles.cos(), type)).add(turned.mul(Ops.to(angles.sin(), type)));
        }

        @Override
        public ScalarType type() {
            return m.scalar_type();
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        r.write(json, "r", "rank_pattern");
        json.put("use_mora", true);
        json.put("mora_type", grouping.number);
        json.put("lora_dropout", dropout);
        json.put("fan_in_fan_out", false);
        bias.write(json, "lora_only");
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code mora}. */
    public static final class Kind implements LoraMark.Marked {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "mora";
        }

        @Override
        public String summary() {
            return "trains a square matrix between fixed compressions of a layer's inputs and outputs";
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
            return "LORA";
        }

        @Override
        public LoraMark mark() {
            return LoraMark.own("use_mora");
        }

        @Override
        public boolean matches(Fields config) {
            return config.bool("use_mora", false);
        }

        @Override
        public List<String> required() {
            return List.of("r", "mora_type");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("use_mora", true);
            config.bool("fan_in_fan_out", false);
            if (config.bool("use_dora", false)) {
                throw config.invalid("use_dora", "false with use_mora");
            }
            // LoRA's settings that MoRA has no use for: it has no scaling and always starts at zero.
            config.ignore(
                    "lora_alpha",
                    "alpha_pattern",
                    "use_rslora",
                    "init_lora_weights",
                    "loftq_config",
                    "megatron_config",
                    "megatron_core");
            return new Mora(
                    PatternValue.readIntegers(config, "r", 8, 1, "rank_pattern"),
                    grouping(config),
                    config.number("lora_dropout", 0),
                    Bias.read(config, "lora_only"),
                    TargetModules.read(config));
        }

        private static Grouping grouping(Fields config) {
            int number = config.integer("mora_type", 1);
            for (Grouping grouping : Grouping.values()) {
                if (grouping.number == number) {
                    return grouping;
                }
            }
            throw config.invalid("mora_type", "1, 2, 3, 4 or 6");
        }
    }
}
