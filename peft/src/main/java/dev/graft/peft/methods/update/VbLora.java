package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * VB-LoRA (Li et al., 2024): LoRA, {@code y = W x + b + B A x}, whose A and B consist of vectors from one bank {@code [n, v]} that all layers
 * share. Each part of v values of a row of A or a column of B is a mixture of bank vectors, weighted by the softmax of the {@code topk} largest
 * of its logits {@code [n]}. The bank starts uniform on ±{@code init_vector_bank_bound} and the logits normal: a new adapter changes the output a
 * little.
 *
 * <p>Trained: n · v once, and r · n · (in + out) / v for a layer. Files: {@code vblora_vector_bank}, and {@code <module>.vblora_logits_A},
 * {@code vblora_logits_B}, or with {@code save_only_topk_weights} only the indices of the mixed vectors, {@code …_topk_indices}, and their
 * weights except the last, {@code …_topk_weights}: r · topk · (in + out) / v values. These can be used but not trained further. Merges. Use it if
 * stored adapters must be as small as possible. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, VbLora.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank
 * @param vectors n, the number of vectors in the bank
 * @param length v, a divisor of the sizes of every target
 * @param topk the number of mixed vectors
 * @param savesOnlyTopk whether files contain only the mixtures
 * @param dropout probability that an input of the update is dropped in training
 * @param bankBound the bound of the bank's uniform start
 * @param logitsStd the deviation of the logits' start
 */
@RecordBuilder
public record VbLora(
        int r,
        int vectors,
        int length,
        int topk,
        boolean savesOnlyTopk,
        double dropout,
        double bankBound,
        double logitsStd,
        Bias bias,
        TargetModules targets)
        implements Method, VbLoraBuilder.With {
    /** Rank 4, 256 vectors of 64 numbers, mixtures of two, every linear layer but the head. */
    public static final VbLora DEFAULT =
            new VbLora(4, 256, 64, 2, false, 0, 0.02, 0.1, Bias.NONE, TargetModules.ALL_LINEAR);

    public VbLora {
        if (r < 1 || length < 1 || topk < 1 || topk > vectors) {
            throw new InputException("r is " + r + ", vector_length " + length + ", topk " + topk + " and num_vectors "
                    + vectors + ", expected each at least 1 and topk at most num_vectors");
        }
        DropoutProbability.require("vblora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Tensor bank = g.parameter("vblora_vector_bank", Initializer.uniform(bankBound), vectors, length);
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.VBLORA), "VB-LoRA");
        for (Linear site : sites) {
            if (site.in() % length != 0 || site.out() % length != 0) {
                throw new InputException("vector_length is " + length + ", expected a divisor of both sizes of "
                        + site.name() + " [" + site.out() + ", " + site.in() + "]");
            }
            Tensor a = logits(g, site, "vblora_logits_A", r, site.in() / length);
            Tensor b = logits(g, site, "vblora_logits_B", site.out() / length, r);
            g.add(site, new Mixed(a, b, bank, topk, dropout, savesOnlyTopk && g.isLoading()));
        }
        bias.graft(g, sites);
    }

    /** The logits {@code [..., n]}; -∞ for what isn't mixed where a file has only the mixtures. */
    private Tensor logits(Grafter g, Site site, String suffix, long rows, long columns) {
        if (!savesOnlyTopk) {
            return g.parameter(site, suffix, Initializer.normal(logitsStd), rows, columns, vectors);
        }
        String key = site.name() + "." + suffix;
        if (g.isLoading()) {
            Tensor indices =
                    g.indices(site, suffix + "_topk_indices", Storage.FILE, Initializer.ZEROS, rows, columns, topk);
            Tensor weights = g.buffer(key + "_topk_weights", true, Initializer.ZEROS, rows, columns, topk - 1);
            g.export(key + "_topk_indices", () -> Ops.to(indices, indexType()));
            return g.unsavedParameter(key, (rng, shape) -> spread(indices, weights, shape), rows, columns, vectors);
        }
        Tensor logits = g.unsavedParameter(key, Initializer.normal(logitsStd), rows, columns, vectors);
        g.export(key + "_topk_indices", () -> Ops.to(logits.topk(topk).get1(), indexType()));
        g.export(
                key + "_topk_weights",
                () -> logits.topk(topk)
                        .get0()
                        .softmax(-1)
                        .narrow(-1, 0, topk - 1)
                        .contiguous());
        return logits;
    }

    private static Tensor spread(Tensor indices, Tensor weights, long... shape) {
        Tensor last = Ops.plus(Ops.sum(weights, -1, true).neg(), 1).clamp_min(new Scalar(0));
        Tensor none = Ops.plus(Tensors.zeros(weights.scalar_type(), shape), Double.NEGATIVE_INFINITY);
        return none.scatter(
                -1, Ops.to(indices, ScalarType.Long), Ops.cat(-1, weights, last).log());
    }

    /** The smallest type that PEFT stores indices in. */
    private ScalarType indexType() {
        return vectors < 1 << 8 ? ScalarType.Byte : vectors < 1 << 15 ? ScalarType.Short : ScalarType.Int;
    }

    /** @param used whether the logits are only mixtures from a file, which can't be trained on */
    private record Mixed(Tensor logitsA, Tensor logitsB, Tensor bank, int topk, double dropout, boolean used)
            implements Effect.Delta {
        /** {@code [..., v]} from {@code [..., n]}. */
        private Tensor vectors(Tensor logits) {
            T_TensorTensor_T largest = logits.topk(topk);
            Tensor weights = largest.get0().softmax(-1).unsqueeze(-1);
            return Ops.sum(weights.mul(Ops.embedding(bank, largest.get1())), -2, false);
        }

        /** {@code [r, in]}. */
        private Tensor a() {
            return vectors(logitsA).flatten(1, 2);
        }

        /** {@code [out, r]}. */
        private Tensor b() {
            return vectors(logitsB).transpose(1, 2).flatten(0, 1);
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            if (used && pass.isTraining()) {
                throw new InputException(
                        "save_only_topk_weights: this adapter's file has only the vectors that are mixed"
                                + " and not the logits that chose them, so it can't be trained on");
            }
            ScalarType type = x.scalar_type();
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            return Ops.linear(Ops.linear(input, Ops.to(a(), type), null), Ops.to(b(), type), null);
        }

        @Override
        public Tensor weight() {
            return b().matmul(a());
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("num_vectors", vectors);
        json.put("vector_length", length);
        json.put("topk", topk);
        json.put("save_only_topk_weights", savesOnlyTopk);
        json.put("vblora_dropout", dropout);
        json.put("init_vector_bank_bound", bankBound);
        json.put("init_logits_std", logitsStd);
        json.put("fan_in_fan_out", false);
        bias.write(json, "vblora_only");
        targets.write(json);
    }

    /** Registers {@code vblora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "vblora";
        }

        @Override
        public String summary() {
            return "LoRA put together from one trained bank of vectors that all layers share";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "VBLORA";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public List<String> required() {
            return List.of("r", "topk");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new VbLora(
                    config.integer("r", 4, 1),
                    config.integer("num_vectors", 256, 1),
                    config.integer("vector_length", 256, 1),
                    config.integer("topk", 2, 1),
                    config.bool("save_only_topk_weights", false),
                    config.number("vblora_dropout", 0),
                    config.number("init_vector_bank_bound", 0.02),
                    config.number("init_logits_std", 0.1),
                    Bias.read(config, "vblora_only"),
                    TargetModules.read(config));
        }
    }
}
