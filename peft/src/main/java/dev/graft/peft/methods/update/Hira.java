package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * HiRA, Hadamard high-rank adaptation (Huang et al., 2025): {@code y = W x + b + (W ⊙ B A) x} with {@code A [r, in]}, {@code B [out, r]} and W
 * the frozen weight, so ΔW has a rank of up to r · rank(W). A starts Kaiming-uniform and B at zero (on an embedding A at zero and B normal), so a
 * new adapter changes nothing.
 *
 * <p>Trained: r · (in + out) for a linear layer, r · (in · kernel + out) for a convolution, r · (rows + hidden) for an embedding. Files:
 * {@code <module>.hira_A}, {@code hira_B}; {@code hira_embedding_A}, {@code hira_embedding_B}. Merges: W ⊙ (1 + B A). Use it if LoRA's rank is
 * the limit. It needs learning rates ten times as high, since values of W are small. It can't change a weight of zero, and every call computes
 * ΔW, which costs r · in · out. Not on convolutions in groups.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Hira.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank
 * @param dropout probability that an input of the update is dropped in training
 * @param init the initialisation of A and B
 */
@RecordBuilder
public record Hira(PatternValue<Integer> r, double dropout, TargetModules targets, Init init)
        implements Method, HiraBuilder.With {
    /** Rank 32, every linear layer but the head. */
    public static final Hira DEFAULT = new Hira(PatternValue.of(32), 0, TargetModules.ALL_LINEAR, Init.KAIMING);

    /** The initialisation of A; B starts at zero. */
    public enum Init {
        KAIMING,
        /** Normal with standard deviation 1 / r. */
        GAUSSIAN,
        /** A and B standard normal: a new adapter changes the output. */
        RANDOM
    }

    public Hira {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        DropoutProbability.require("hira_dropout", dropout);
    }

    /** Returns a copy with this rank for every module. */
    public Hira withR(int rank) {
        return withR(PatternValue.of(rank));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        boolean random = init == Init.RANDOM;
        for (Site site : g.targets(targets)) {
            int rank = r.at(site.name());
            if (site instanceof Projection layer) {
                Grafter.refuseGroups(layer, "HiRA");
                Initializer initializer = random
                        ? Initializer.normal(1)
                        : init == Init.GAUSSIAN ? Initializer.normal(1.0 / rank) : Initializer.KAIMING;
                long[] down = Tensors.shape(layer.weight());
                long[] up = down.clone();
                Arrays.fill(up, 1);
                down[0] = rank;
                up[0] = layer.out();
                up[1] = rank;
                Tensor a = g.parameter(site, "hira_A", initializer, down);
                Tensor b = g.parameter(site, "hira_B", random ? Initializer.normal(1) : Initializer.ZEROS, up);
                g.add(site, new LayerDelta(layer, a, b, dropout));
            } else if (site instanceof Embedding embedding) {
                Tensor a = g.parameter(
                        site,
                        "hira_embedding_A",
                        random ? Initializer.normal(1) : Initializer.ZEROS,
                        rank,
                        embedding.rows());
                Tensor b = g.parameter(site, "hira_embedding_B", Initializer.normal(1), embedding.hidden(), rank);
                g.add(site, new EmbeddingDelta(embedding.weight(), a, b));
            }
        }
    }

    /** ΔW is of the frozen weight, whatever other adapters are there. */
    private record LayerDelta(Projection frozen, Tensor a, Tensor b, double dropout) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            return frozen.apply(input, Ops.to(weight(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            Tensor product = b.flatten(1, -1).matmul(a.flatten(1, -1));
            return product.view(Tensors.shape(frozen.weight())).mul(frozen.weight());
        }
    }

    private record EmbeddingDelta(Tensor table, Tensor a, Tensor b) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor ids, PassView pass) {
            Tensor factor = Ops.linear(Ops.embedding(a.t(), ids), b, null);
            return factor.mul(Ops.embedding(table, ids));
        }

        @Override
        public Tensor weight() {
            return a.t().matmul(b.t()).mul(table);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        r.write(json, "r", "rank_pattern");
        json.put("hira_dropout", dropout);
        json.put("fan_in_fan_out", false);
        switch (init) {
            case KAIMING -> json.put("init_weights", true);
            case GAUSSIAN -> json.put("init_weights", "gaussian");
            case RANDOM -> json.put("init_weights", false);
        }
        targets.write(json);
    }

    /** Registers {@code hira}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "hira";
        }

        @Override
        public String summary() {
            return "multiplies frozen weights by a trained low-rank matrix, element by element";
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
            return "HIRA";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Hira(
                    PatternValue.readIntegers(config, "r", 32, 1, "rank_pattern"),
                    config.number("hira_dropout", 0),
                    TargetModules.read(config),
                    init(config));
        }

        private static Init init(Fields config) {
            JsonNode value = config.node("init_weights");
            if (value == null || value.isNull()) {
                return value == null ? Init.KAIMING : Init.RANDOM;
            }
            if (value.isString()) {
                config.choice("init_weights", "gaussian", "gaussian");
                return Init.GAUSSIAN;
            }
            return config.bool("init_weights") ? Init.KAIMING : Init.RANDOM;
        }
    }
}
