package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * SoRA (Ding et al., 2023): LoRA with a sparse gate on its ranks, {@code y = W x + b + s · B (g ⊙ (A x))} with {@code g [r]}. After each step of
 * the optimiser at rate η the gate takes a proximal step for {@code λ ‖g‖₁}: {@code g ← sign(g) · max(|g| - η λ, 0)}. Ranks that the loss doesn't
 * need become exactly zero.
 *
 * <p>Trained: r · (in + out + 1) for a linear layer. A starts Kaiming-uniform, B at zero, g normal; a new adapter changes nothing. Files: plain
 * LoRA, without the ranks whose gate is zero and with the gate in A; each module has its own rank, and at least one. Merges as LoRA. Use it to
 * determine how many ranks each layer needs. Adam moves a gate by at most about η a step, so with λ of 1 or more everything is pruned.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Sora(LoraConfig.DEFAULT, 0.4), 42);
 * }</pre>
 *
 * @param lambda λ
 */
public record Sora(LoraConfig config, double lambda) implements LoraVariant {
    /** Rank 16 at most, and λ = 0.4, which is near what the paper's code uses. */
    public static final Sora DEFAULT = new Sora(LoraConfig.DEFAULT, 0.4);

    private static final String GATE = ".lora_gate";

    public Sora {
        if (!(lambda >= 0 && lambda < 1e6)) {
            throw new InputException("sora_lambda is " + lambda + ", expected 0 or more");
        }
        if (!config.init().name().equals("true")) {
            throw new InputException(
                    "init_lora_weights is " + config.init().name() + ", but SoRA has its own start: expected true");
        }
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, but SoRA's update has no bias; leave it out");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public Sora with(LoraConfig newConfig) {
        return new Sora(newConfig, lambda);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        int r = config.rank(site.name());
        Tensor a = g.parameter(site, "lora_A.weight", Initializer.KAIMING, r, site.in());
        Tensor b = g.parameter(site, "lora_B.weight", Initializer.ZEROS, site.out(), r);
        Tensor gate = g.unsavedParameter(site.name() + GATE, Initializer.normal(1), r);
        g.export(site.name() + ".lora_A.weight", () -> {
            Tensor left = left(gate);
            return a.index_select(0, left).mul(gate.index_select(0, left).unsqueeze(1));
        });
        g.export(site.name() + ".lora_B.weight", () -> b.index_select(1, left(gate)));
        return new GatedLowRank(site, a, b, gate, config.scaling(site.name()), config.dropout());
    }

    /** The ranks whose gate isn't zero; the first one where there is none. */
    private static Tensor left(Tensor gate) {
        double[] values = Tensors.doubles(gate);
        long[] left = LongStream.range(0, values.length)
                .filter(i -> values[(int) i] != 0)
                .toArray();
        return left.length == 0 ? Tensors.of(new long[] {0}, 1) : Tensors.of(left, left.length);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<Tensor> gates = new ArrayList<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.endsWith(GATE)) {
                gates.add(value);
            }
        });
        return new TrainingRule() {
            @Override
            public boolean allowsAveraging() {
                return false;
            }

            @Override
            public void afterUpdate(long step, double learningRate) {
                Scalar most = new Scalar(lambda * learningRate);
                Scalar least = new Scalar(-lambda * learningRate);
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    for (Tensor gate : gates) {
                        gate.sub_(gate.clamp(new ScalarOptional(least), new ScalarOptional(most)));
                    }
                }
            }
        };
    }

    /** Returns LoRA with the remaining ranks; the scale stays as it was. */
    @Override
    public Method savedMethod(Instance adapter) {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        Map<String, Double> alphas = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (key.endsWith(GATE)) {
                String module = key.substring(0, key.length() - GATE.length());
                int left = Math.toIntExact(left(value).size(0));
                double scaling = config.scaling(module);
                if (left < value.size(0)) {
                    ranks.put(module, left);
                    alphas.put(module, config.rslora() ? scaling * Math.sqrt(left) : scaling * left);
                }
            }
        });
        config.rankPattern().forEach(ranks::putIfAbsent);
        config.alphaPattern().forEach(alphas::putIfAbsent);
        return new Lora(config.withRankPattern(ranks).withAlphaPattern(alphas));
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("sora_lambda", lambda);
    }

    /** Registers {@code sora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("sora", LoraMark.own("sora_lambda"));
        }

        @Override
        public String summary() {
            return "LoRA with a gate that prunes the ranks it doesn't need";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields f, Base base) {
            return new Sora(shared, f.number("sora_lambda"));
        }
    }
}
