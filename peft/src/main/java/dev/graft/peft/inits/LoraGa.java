package dev.graft.peft.inits;

import dev.graft.formats.Fields;
import dev.graft.peft.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA-GA (Wang et al., 2024): A and B span the directions of the first step of full fine-tuning. With {@code U S V} the gradient of the weight
 * on calibration batches, A and B are different halves of its first 2r triplets, B with the singular values as in PEFT. {@code s · B A} is
 * subtracted from the base.
 *
 * @param direction the triplets of A and B
 * @param scale the scaling of A and B
 * @param gamma γ of the stable scale
 */
public record LoraGa(Direction direction, Scale scale, double gamma) implements LoraInit {
    /** The choice among the triplets 0 to 2r - 1 for A and for B. */
    public enum Direction {
        /** A the odd ones, B the even ones. */
        ArBr,
        /** A the second half, B the first. */
        A2rBr,
        /** A the first half, B the second. */
        ArB2r,
        /** One random choice of r triplets for both. */
        random
    }

    /** The factors by which A and B are scaled. */
    public enum Scale {
        /** B by {@code out^¼ / √γ}. */
        stable,
        /** B such that its largest value equals the weight's. */
        weight_svd,
        /** Both are multiplied by 1/s. */
        gd_scale,
        /** Neither is scaled. */
        unit
    }

    /** PEFT's defaults. */
    public static final LoraGa DEFAULT = new LoraGa(Direction.ArB2r, Scale.stable, 16);

    /** The number of subspace iterations; more than the first triplets need to be exact in all but the last digits. */
    private static final int ITERATIONS = 12;

    static LoraGa read(Fields f) {
        return new LoraGa(
                Direction.valueOf(f.choice("direction", "ArB2r", "ArBr", "A2rBr", "ArB2r", "random")),
                Scale.valueOf(f.choice("scale", "stable", "stable", "weight_svd", "gd_scale", "unit")),
                f.number("stable_gamma", 16, Double.MIN_NORMAL, 1e9));
    }

    @Override
    public void write(ObjectNode config) {
        ObjectNode c = config.putObject("lora_ga_config");
        c.put("direction", direction.name());
        c.put("scale", scale.name());
        if (gamma == Math.rint(gamma)) {
            c.put("stable_gamma", (long) gamma);
        } else {
            c.put("stable_gamma", gamma);
        }
    }

    @Override
    public String name() {
        return "lora_ga";
    }

    @Override
    public Offset offset() {
        return Offset.OF_DATA;
    }

    @Override
    public boolean needsData() {
        return true;
    }

    @Override
    public Factors factors(InitContext context) {
        int r = context.rank();
        context.requireRank(name(), 2L * r);
        Svd svd = Svd.first(
                context.requireStatistics(name()).gradient(context.site()), 4L * r, ITERATIONS, context.rng());
        Tensor forA = Tensors.of(chosen(true, r, context.rng()), r);
        Tensor forB = direction == Direction.random ? forA : Tensors.of(chosen(false, r, context.rng()), r);
        Tensor a = svd.v().index_select(0, forA);
        Tensor values = svd.s().index_select(0, forB);
        Tensor b = svd.u().index_select(1, forB).mul(values);
        return switch (scale) {
            case stable -> new Factors(a, Ops.scale(b, Math.pow(context.site().out(), 0.25) / Math.sqrt(gamma)));
            case weight_svd -> {
                double largest = Tensors.item(values.narrow(0, 0, 1));
                double wanted = Tensors.item(Svd.first(context.weight(), r, ITERATIONS, context.rng())
                        .s()
                        .narrow(0, 0, 1));
                yield new Factors(a, largest > 0 ? Ops.scale(b, wanted / largest) : b);
            }
            case gd_scale -> new Factors(Ops.scale(a, 1 / context.scaling()), Ops.scale(b, 1 / context.scaling()));
            case unit -> new Factors(a, b);
        };
    }

    private long[] chosen(boolean forA, int r, Rng rng) {
        return switch (direction) {
            case ArBr -> LongStream.range(0, r).map(i -> 2 * i + (forA ? 1 : 0)).toArray();
            case A2rBr -> LongStream.range(0, r).map(i -> forA ? r + i : i).toArray();
            case ArB2r -> LongStream.range(0, r).map(i -> forA ? i : r + i).toArray();
            case random -> {
                int[] drawn = IntStream.range(0, 2 * r).toArray();
                for (int i = 0; i < r; i++) {
                    int other = i + rng.nextInt(2 * r - i);
                    int swapped = drawn[i];
                    drawn[i] = drawn[other];
                    drawn[other] = swapped;
                }
                yield IntStream.of(drawn).limit(r).asLongStream().toArray();
            }
        };
    }
}
