package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * FRoD (AAAI 2026): the weights of corresponding layers in different blocks share a basis V {@code [in, in]}: {@code W = U diag(λ₀) Vᵀ}, where
 * U's columns have length 1. The trained part is between them, {@code y = U (S + diag(λ)) Vᵀ x + b}, a sparse S {@code [in, in]} with entries off
 * the diagonal at random places that the layers share, and {@code λ [in]}. S starts at zero and λ at λ₀, so a new adapter changes nothing.
 * Computed as {@code W x + U (S + diag(λ - λ₀)) Vᵀ x + b}.
 *
 * <p>Trained: in + ⌊in² · sparse_rate⌋ for a layer. Files: {@code <module>.frod_lambda_l}, {@code frod_lambda_s_values}, and for each kind of
 * layer {@code frod_V.<kind>}, {@code frod_s_indices.<kind> [2, n]}, {@code frod_s_size.<kind> [2]} int64; U and λ₀ are recomputed from the base.
 * Merges. It is a full-rank update with few trained values that costs memory: U is as large as W, V has in² values. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Frod.DEFAULT, 42);
 * }</pre>
 *
 * @param sparseRate the trained share of S
 * @param regularization keeps the computation of V stable for similar layers
 * @param key the seed of S's places, for PyTorch's generator
 * @param dropout probability that an input of the update is dropped in training
 * @param startAsBase whether S starts at zero and λ at λ₀; else normal numbers of deviation 0.1 are added
 * @param progressbar whether PEFT shows its progress
 * @param offloads whether PEFT keeps the base's weight out of its accelerator's memory
 */
@RecordBuilder
public record Frod(
        double sparseRate,
        double regularization,
        int key,
        double dropout,
        Bias bias,
        TargetModules targets,
        boolean startAsBase,
        boolean progressbar,
        boolean offloads)
        implements Method, FrodBuilder.With {
    /** One percent of S, every linear layer but the head. */
    public static final Frod DEFAULT = FrodBuilder.builder()
            .sparseRate(0.01)
            .regularization(1e-3)
            .bias(Bias.NONE)
            .targets(TargetModules.ALL_LINEAR)
            .startAsBase(true)
            .progressbar(true)
            .build();

    private static final double NONE = 1e-12;

    public Frod {
        if (!(sparseRate >= 0 && sparseRate <= 1)) {
            throw new InputException("sparse_rate is " + sparseRate + ", expected 0 to 1");
        }
        if (!(regularization >= 0)) {
            throw new InputException("regularization_alpha is " + regularization + ", expected 0 or more");
        }
        DropoutProbability.require("frod_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.VERA), "FRoD");
        // The places of one kind of layer are drawn behind those of the kind before.
        TorchRng rng = new TorchRng(key);
        for (SharedBasis basis : SharedBasis.of(sites)) {
            long in = basis.in();
            String kind = basis.category();
            Tensor v = g.buffer("frod_V." + kind, true, (random, shape) -> basis.find(regularization), in, in);
            String indices = "frod_s_indices." + kind;
            SparseIndices sparse =
                    SparseIndices.of(g, indices, Storage.FILE, (random, shape) -> draw(rng, in), entries(in), in, in);
            g.export(indices, () -> SparseIndices.rowsAndColumns(sparse.flat(), in));
            size(g, "frod_s_size." + kind, in);
            for (Linear site : sites) {
                if (SharedBasis.category(site).equals(kind)) {
                    g.add(site, core(g, site, v, sparse));
                }
            }
        }
        bias.graft(g, sites);
    }

    /** Returns the number of trained entries of S. */
    private int entries(long in) {
        long free = in * in - in;
        long n = Math.min((long) (in * in * sparseRate), free);
        return Math.toIntExact(sparseRate > 0 && free > 0 ? Math.max(n, 1) : n);
    }

    /** Places off the diagonal: rows and columns {@code [2, n]}. */
    private Tensor draw(TorchRng rng, long in) {
        int n = entries(in);
        if (n == 0) {
            return Tensors.zeros(ScalarType.Long, 2, 0);
        }
        Tensor places =
                SparseIndices.rowsAndColumns(rng.permutation(in * in - in).narrow(0, 0, n), in - 1);
        Tensor row = places.select(0, 0);
        Tensor column = places.select(0, 1);
        Tensor behind = Ops.to(column.ge(row), ScalarType.Long);
        return Ops.cat(0, row.unsqueeze(0), column.add(behind).unsqueeze(0));
    }

    private static void size(Grafter g, String name, long in) {
        Tensor size = g.indices(name, Storage.FILE, (rng, shape) -> Tensors.of(new long[] {in, in}, 2), 2);
        if (!size.eq(new Scalar(in)).all().item_bool()) {
            throw new InputException(name + " is another size than the layers' inputs, " + in);
        }
        g.export(name, () -> Ops.to(size, ScalarType.Long));
    }

    private Core core(Grafter g, Linear site, Tensor v, SparseIndices sparse) {
        Tensor left = g.buffer(
                site.name() + ".frod_left", false, (rng, shape) -> SharedBasis.left(site, v), site.out(), site.in());
        Tensor start;
        Tensor inverse;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            start = scope.release(Ops.norm(left, 0, false));
            Tensor there = Ops.to(start.gt(new Scalar(NONE)), start.scalar_type());
            inverse = scope.release(there.div(start.clamp_min(new Scalar(NONE))));
        }
        double off = startAsBase ? 0 : 0.1;
        Tensor lambda = g.parameter(
                site,
                "frod_lambda_l",
                (rng, shape) -> Ops.to(start, ScalarType.Float).add(rng.normal(0, off, shape)),
                site.in());
        Tensor values = g.parameter(
                site,
                "frod_lambda_s_values",
                startAsBase ? Initializer.ZEROS : Initializer.normal(0.1),
                sparse.flat().size(0));
        return new Core(v, left, start, inverse, lambda, values, sparse, dropout);
    }

    /**
     * The update of one layer.
     *
     * @param v {@code [in, in]}
     * @param left {@code U diag(λ₀)}, {@code [out, in]}
     * @param start λ₀
     * @param inverse {@code 1 / λ₀}, zero where U has no column
     */
    private record Core(
            Tensor v,
            Tensor left,
            Tensor start,
            Tensor inverse,
            Tensor lambda,
            Tensor values,
            SparseIndices sparse,
            double dropout)
            implements Effect.Delta {
        /** {@code diag(1 / λ₀) (S + diag(λ - λ₀))}. */
        private Tensor middle() {
            return sparse.scatter(values).add(lambda.sub(start).diag()).mul(inverse.unsqueeze(1));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            Tensor z = Ops.linear(input, Ops.to(v.t(), type), null);
            return Ops.linear(Ops.linear(z, Ops.to(middle(), type), null), Ops.to(left, type), null);
        }

        @Override
        public Tensor weight() {
            return left.matmul(middle()).matmul(v.t());
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("sparse_rate", sparseRate);
        json.put("regularization_alpha", regularization);
        json.put("projection_prng_key", key);
        json.put("save_projection", true);
        json.put("frod_dropout", dropout);
        json.put("init_weights", startAsBase);
        json.put("progressbar", progressbar);
        json.put("runtime_offload_base_weight", offloads);
        json.put("fan_in_fan_out", false);
        bias.write(json, "frod_only");
        targets.orDefaults(base, DefaultTargets.Table.VERA).writeWithoutExclusions(json, base);
    }

    /** Registers {@code frod}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "frod";
        }

        @Override
        public String summary() {
            return "trains a sparse matrix between factors of the weight, one of which layers share";
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
            return "FROD";
        }

        @Override
        public List<String> required() {
            return List.of("sparse_rate");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            if (!config.bool("save_projection", true)) {
                throw config.invalid(
                        "save_projection",
                        "true: the signs of the basis can't be found again in the base; save it in PEFT with"
                                + " save_projection=True");
            }
            return new Frod(
                    config.number("sparse_rate", 0.01),
                    config.number("regularization_alpha", 1e-3),
                    config.integer("projection_prng_key", 0),
                    config.number("frod_dropout", 0),
                    Bias.read(config, "frod_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true),
                    config.bool("progressbar", true),
                    config.bool("runtime_offload_base_weight", false));
        }
    }
}
