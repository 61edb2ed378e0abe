package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * PEANuT (Zhong et al., 2024): {@code y = W x + b + ΔW x}, where a small network computes ΔW from the frozen W, {@code ΔWᵀ = s · net(Wᵀ) Bᵀ}. The
 * network's rows are the inputs of the layer: {@code h₀ = σ(Wᵀ Aᵀ)} with {@code A [r, out]}, then for each of d levels an encoder,
 * {@code hᵢ = σ(hᵢ₋₁ Eᵢᵀ)}, and back by d decoders, {@code h = σ(h Dᵢᵀ) + h_(d-i)}; {@code E, D [r, r]} and {@code B [out, r]}. B starts at zero
 * and the others Kaiming-uniform, so a new adapter changes nothing.
 *
 * <p>Trained: 2 · r · out + 2 · d · r² for a layer. Files: {@code <module>.peanut_A.weight}, {@code peanut_encoders.<i>.weight},
 * {@code peanut_decoders.<i>.weight}, {@code peanut_B.weight}. Merges: W + ΔW. Use it if an update may depend on W and layers have fewer outputs
 * than inputs. Every call computes ΔW, which costs 2 · r · in · out. Not on embeddings and convolutions.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Peanut.DEFAULT, 42);
 * }</pre>
 *
 * @param r the width of the network
 * @param depth d
 * @param scaling s
 * @param activation the name of σ
 * @param startAtZero whether B starts at zero; else it is Kaiming-uniform too
 */
@RecordBuilder
public record Peanut(int r, int depth, double scaling, String activation, TargetModules targets, boolean startAtZero)
        implements Method, PeanutBuilder.With {
    /** Width 32, no further level, ReLU, every linear layer but the head. */
    public static final Peanut DEFAULT = new Peanut(32, 0, 1, "relu", TargetModules.ALL_LINEAR, true);

    public Peanut {
        if (r < 1 || depth < 0) {
            throw new InputException(
                    r < 1 ? "r is " + r + ", expected at least 1" : "depth is " + depth + ", expected 0 or more");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    private Activation sigma() {
        ObjectNode given = JsonNodeFactory.instance.objectNode().put("act_fn", activation);
        return Activation.read(Fields.of("options of peanut", given), "act_fn", "relu");
    }

    @Override
    public void graft(Grafter g) {
        Activation sigma = sigma();
        for (Linear site : g.linears(targets, "PEANuT")) {
            Tensor a = g.parameter(site, "peanut_A.weight", Initializer.KAIMING, r, site.out());
            List<Tensor> encoders = new ArrayList<>();
            List<Tensor> decoders = new ArrayList<>();
            for (int i = 0; i < depth; i++) {
                encoders.add(g.parameter(site, "peanut_encoders." + i + ".weight", Initializer.KAIMING, r, r));
                decoders.add(g.parameter(site, "peanut_decoders." + i + ".weight", Initializer.KAIMING, r, r));
            }
            Initializer initializer = startAtZero ? Initializer.ZEROS : Initializer.KAIMING;
            Tensor b = g.parameter(site, "peanut_B.weight", initializer, site.out(), r);
            g.add(site, new WeightNetwork(site, a, encoders, decoders, b, sigma, scaling));
        }
    }

    /** ΔW is of the frozen weight, whatever other adapters are there. */
    private record WeightNetwork(
            Linear frozen,
            Tensor a,
            List<Tensor> encoders,
            List<Tensor> decoders,
            Tensor b,
            Activation sigma,
            double scaling)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            Tensor inputs = Ops.to(frozen.weight(), a.scalar_type()).t();
            Tensor h = sigma.apply(Ops.linear(inputs, a, null));
            List<Tensor> levels = new ArrayList<>();
            for (Tensor encoder : encoders) {
                levels.add(h);
                h = sigma.apply(Ops.linear(h, encoder, null));
            }
            for (int i = 0; i < decoders.size(); i++) {
                h = sigma.apply(Ops.linear(h, decoders.get(i), null)).add(levels.get(levels.size() - 1 - i));
            }
            return Ops.scale(b.matmul(h.t()), scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("depth", depth);
        json.put("scaling", scaling);
        json.put("act_fn", activation);
        json.put("init_weights", startAtZero);
        targets.write(json);
    }

    /** Registers {@code peanut}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "peanut";
        }

        @Override
        public String summary() {
            return "adds an update that a small network makes of the frozen weight";
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
            return "PEANUT";
        }

        @Override
        public List<String> required() {
            return List.of("r", "depth");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Peanut(
                    config.integer("r", 32, 1),
                    config.integer("depth", 0, 0),
                    config.number("scaling", 1),
                    config.string("act_fn", "relu"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
