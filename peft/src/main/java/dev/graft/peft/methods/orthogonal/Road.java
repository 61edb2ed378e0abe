package dev.graft.peft.methods.orthogonal;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * RoAd, rotation adaptation (Liao et al., 2024): {@code y = R (W x + b)}, where R rotates pairs of outputs in their plane by an angle θ and
 * scales them by α: {@code y₁ = α₁ cos θ₁ h₁ - α₂ sin θ₂ h₂}, {@code y₂ = α₂ sin θ₂ h₁ + α₁ cos θ₁ h₂}. A pair is an output of the first half of
 * a group and its partner in the second half. Variant 1 has one θ and α for a pair, variant 2 one for each row of its matrix, variant 4 one for
 * each of its entries. θ starts at zero and α at one, so a new adapter changes nothing.
 *
 * <p>Trained: out, 2 · out or 4 · out for a layer. Files: {@code <module>.road_theta}, {@code road_alpha}, both {@code [out / 2]}, {@code [out]}
 * or {@code [2 · out]}. Merges: R W and R b. Use it like (IA)³, with slightly more capacity: a call costs two elementwise products. Not on
 * embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Road.DEFAULT, 42);
 * }</pre>
 *
 * @param variant 1, 2 or 4
 * @param group the number of neighbouring outputs that are paired among themselves, an even number that divides the outputs of every layer
 * @param startAtIdentity whether θ starts at zero and α at one; else both are normal around those, standard deviation 0.5
 */
@RecordBuilder
public record Road(int variant, int group, TargetModules targets, boolean startAtIdentity)
        implements Method, RoadBuilder.With {
    /** Variant 1, pairs of neighbours, every linear layer but the head. */
    public static final Road DEFAULT = new Road(1, 2, TargetModules.ALL_LINEAR, true);

    public Road {
        if (variant != 1 && variant != 2 && variant != 4) {
            throw new InputException("variant is road_" + variant + ", expected road_1, road_2 or road_4");
        }
        if (group < 2 || group % 2 != 0) {
            throw new InputException("group_size is " + group + ", expected an even number of at least 2");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "RoAd")) {
            if (site.out() % group != 0) {
                throw new InputException(
                        "group_size " + group + " doesn't divide the " + site.out() + " outputs of " + site.name());
            }
            long size = site.out() * variant / 2;
            double std = startAtIdentity ? 0 : 0.5;
            Tensor theta = g.parameter(site, "road_theta", Initializer.normal(std), size);
            Tensor alpha = g.parameter(site, "road_alpha", (rng, shape) -> rng.normal(1, std, shape), size);
            g.add(site, new Rotation(variant, group, theta, alpha));
        }
    }

    private record Rotation(int variant, int group, Tensor theta, Tensor alpha) implements Effect.Reweight {
        /** Rotates the last dimension. */
        private Tensor rotate(Tensor h) {
            Tensor cos = each(alpha, 0).mul(each(theta, 0).cos());
            Tensor sin = each(alpha, 1).mul(each(theta, 1).sin());
            Tensor halves = h.reshape(-1, 2, group / 2);
            Tensor turned = Ops.cat(1, halves.narrow(1, 1, 1).neg(), halves.narrow(1, 0, 1))
                    .reshape(Tensors.shape(h));
            return h.mul(cos).add(turned.mul(sin));
        }

        /** The values for each output, in a column of the matrices. */
        private Tensor each(Tensor values, int column) {
            if (variant == 1) {
                return values.view(-1, 1, group / 2).expand(-1, 2, -1).reshape(-1);
            }
            return variant == 2
                    ? values
                    : values.view(-1, 2, group).select(1, column).reshape(-1);
        }

        @Override
        public Tensor weight(Tensor weight) {
            return rotate(Ops.to(weight, theta.scalar_type()).t()).t();
        }

        @Override
        public Tensor bias(Tensor bias) {
            return rotate(Ops.to(bias, theta.scalar_type()));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor y = inner.apply(x, pass);
            return Ops.to(rotate(Ops.to(y, theta.scalar_type())), y.scalar_type());
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.withExplicitNames(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        json.put("variant", "road_" + variant);
        json.put("group_size", group);
        json.put("init_weights", startAtIdentity);
    }

    /** Registers {@code road}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "road";
        }

        @Override
        public String summary() {
            return "turns and stretches pairs of outputs of a layer";
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
            return "ROAD";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public Method read(Fields config, Base base) {
            String variant = config.choice("variant", "road_1", "road_1", "road_2", "road_4");
            return new Road(
                    Integer.parseInt(variant.substring("road_".length())),
                    config.integer("group_size", 64, 2),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
