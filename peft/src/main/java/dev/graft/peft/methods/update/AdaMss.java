package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdaMSS, adaptive multi-subspaces (2025): {@code y = W x + b + ΔW [x; 1]}, where the rows of {@code [W b]} form K clusters and those of cluster
 * k have {@code ΔW_k = B_k A_k V}, with {@code V [r, in + 1]} the first right singular vectors of {@code [W b]}, {@code A_k [ρ, r]} and
 * {@code B_k} with a row for each row of the cluster; without a bias V has {@code in} columns. A_k starts as the cluster's first singular
 * directions and B_k at zero, so a new adapter changes nothing. With {@link SubspaceAllocation} only the most important clusters of all layers
 * continue to learn.
 *
 * <p>Trained: ρ · (K · r + out) for a layer; fewer where a cluster has fewer rows than ρ. Files: {@code <module>.adamss_A.<k>},
 * {@code adamss_B.<k>}, {@code adamss_newB}; the clusters are recomputed from the base and also written beside PEFT's file,
 * {@code adamss_rows [out]}. Merges. Use it if the neurons of a layer form groups and each group needs a small update. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdaMss.DEFAULT, 42);
 * }</pre>
 *
 * @param r the number of singular directions of the weight
 * @param subspaces K
 * @param rank ρ
 * @param dynamicRank whether a cluster's rank is the number of its significant directions, if that is less than ρ
 * @param threshold the squared singular value, as a share of the largest, above which a direction is significant
 * @param seed of the randomised decomposition, for torch's generator
 * @param startAtZero whether B_k starts at zero; else it is normal with deviation 0.01
 */
@RecordBuilder
public record AdaMss(
        int r,
        int subspaces,
        int rank,
        boolean dynamicRank,
        double threshold,
        int seed,
        SubspaceAllocation allocation,
        TargetModules targets,
        boolean startAtZero)
        implements Method, AdaMssBuilder.With {
    /** A hundred directions, five clusters of rank 4 (PEFT's is 1), every linear layer but the head. */
    public static final AdaMss DEFAULT =
            new AdaMss(100, 5, 4, false, 0.1, 0, SubspaceAllocation.OFF, TargetModules.ALL_LINEAR, true);

    private static final String ROWS = "adamss_rows";

    public AdaMss {
        if (r < 1 || subspaces < 1 || rank < 1) {
            throw new InputException("r is " + r + ", num_subspaces " + subspaces + " and subspace_rank " + rank
                    + ", expected each at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "AdaMSS")) {
            long columns = PrincipalRows.columns(site);
            long directions = Math.min(r, Math.min(site.out(), columns));
            PrincipalRows rows = new PrincipalRows(site, directions, seed);
            Tensor v = g.buffer(
                    site.name() + ".adamss_newB", true, (rng, shape) -> rows.directions(), directions, columns);
            Tensor labels =
                    g.indices(site, ROWS, Storage.GRAFT_FILE, (rng, shape) -> rows.clusters(subspaces), site.out());
            List<long[]> clusters = clusters(site, labels);
            List<Tensor> downs = new ArrayList<>();
            List<Tensor> ups = new ArrayList<>();
            for (int k = 0; k < clusters.size(); k++) {
                long[] members = clusters.get(k);
                long itsRank = rank(g, site, k, rows, members);
                downs.add(g.parameter(
                        site,
                        "adamss_A." + k,
                        (rng, shape) -> rows.directions(Tensors.of(members, members.length), itsRank),
                        itsRank,
                        directions));
                Initializer initializer = startAtZero ? Initializer.ZEROS : Initializer.normal(0.01);
                ups.add(g.parameter(site, "adamss_B." + k, initializer, members.length, itsRank));
            }
            g.add(site, new Subspaces(site.in(), v, downs, ups, order(clusters, site)));
        }
    }

    /** The rows of each cluster, in their order. */
    private List<long[]> clusters(Linear site, Tensor labels) {
        double[] of = Tensors.doubles(labels);
        long count = Math.min(subspaces, site.out());
        List<long[]> clusters = new ArrayList<>();
        for (int k = 0; k < count; k++) {
            int wanted = k;
            long[] members = LongStream.range(0, of.length)
                    .filter(row -> of[(int) row] == wanted)
                    .toArray();
            clusters.add(members);
        }
        long all = clusters.stream().mapToLong(members -> members.length).sum();
        if (all != of.length) {
            throw new InputException(site.name() + "." + ROWS + " has rows outside of its " + count + " clusters");
        }
        return clusters;
    }

    private long rank(Grafter g, Linear site, int k, PrincipalRows rows, long[] members) {
        long[] stored = g.storedShape(site, "adamss_B." + k);
        if (g.isLoading() && stored != null && stored[0] != members.length) {
            throw new InputException(site.name() + ".adamss_B." + k + " is for " + stored[0]
                    + " rows, but the cluster that k-means finds in this base has " + members.length
                    + ": PEFT's file doesn't say which rows are meant, and they are found again only in the base that"
                    + " it was trained on");
        }
        long most = Math.min(members.length, rank);
        if (!dynamicRank) {
            return most;
        }
        if (stored != null && stored.length == 2 && stored[1] >= 1) {
            return Math.min(stored[1], most);
        }
        return Math.max(1, Math.min(most, rows.significant(Tensors.of(members, members.length), threshold)));
    }

    /** Returns the position of each row among those of the clusters one after the other, int64 {@code [out]}. */
    private static Tensor order(List<long[]> clusters, Linear site) {
        long[] places = new long[Math.toIntExact(site.out())];
        int place = 0;
        for (long[] members : clusters) {
            for (long row : members) {
                places[(int) row] = place++;
            }
        }
        return Tensors.of(places, places.length);
    }

    /**
     * The update of one layer.
     *
     * @param in how many inputs it has; V may have one column more, the bias's
     * @param v {@code [r, columns]}
     * @param downs A_k
     * @param ups B_k
     * @param order of the rows among those of the clusters one after the other
     */
    private record Subspaces(long in, Tensor v, List<Tensor> downs, List<Tensor> ups, Tensor order)
            implements Effect.Delta {
        private @Nullable Tensor constant() {
            return v.size(1) > in ? v.select(1, in) : null;
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor constant = constant();
            Tensor z =
                    Ops.linear(x, Ops.to(v.narrow(1, 0, in), type), constant == null ? null : Ops.to(constant, type));
            Tensor[] parts = new Tensor[ups.size()];
            for (int k = 0; k < parts.length; k++) {
                Tensor narrow = Ops.linear(z, Ops.to(downs.get(k), type), null);
                parts[k] = Ops.linear(narrow, Ops.to(ups.get(k), type), null);
            }
            return Ops.cat(-1, parts).index_select(-1, order);
        }

        /** Returns the product of the clusters and V or a column of it. */
        private Tensor rows(Tensor of) {
            Tensor[] parts = new Tensor[ups.size()];
            for (int k = 0; k < parts.length; k++) {
                parts[k] = ups.get(k).matmul(downs.get(k)).matmul(of);
            }
            return Ops.cat(0, parts).index_select(0, order);
        }

        @Override
        public Tensor weight() {
            return rows(v.narrow(1, 0, in));
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor constant = constant();
            return constant == null ? null : rows(constant);
        }
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        return allocation.on() ? new AdaMssRule(allocation, adapter) : TrainingRule.NONE;
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("num_subspaces", subspaces);
        json.put("subspace_rank", rank);
        json.put("init_weights", startAtZero ? "orthogonal" : null);
        json.put("use_asa", allocation.on());
        json.put("asa_target_subspaces", allocation.target());
        json.put("init_warmup", allocation.first());
        json.put("final_warmup", allocation.last());
        json.put("mask_interval", allocation.interval());
        json.put("asa_importance_beta", allocation.importanceDecay());
        json.put("asa_uncertainty_beta", allocation.uncertaintyDecay());
        json.put("asa_schedule_exponent", allocation.exponent());
        json.put("use_dynamic_rank", dynamicRank);
        json.put("svd_threshold", threshold);
        json.put("random_seed", seed);
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code adamss}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adamss";
        }

        @Override
        public String summary() {
            return "low-rank updates of clusters of a weight's rows within its first singular directions";
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
            return "ADAMSS";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public List<String> required() {
            return List.of("r", "num_subspaces", "subspace_rank");
        }

        @Override
        public Method read(Fields config, Base base) {
            SubspaceAllocation off = SubspaceAllocation.OFF;
            return new AdaMss(
                    config.integer("r", 100, 1),
                    config.integer("num_subspaces", 5, 1),
                    config.integer("subspace_rank", 1, 1),
                    config.bool("use_dynamic_rank", false),
                    config.number("svd_threshold", 0.1),
                    config.integer("random_seed", 0),
                    new SubspaceAllocation(
                            config.bool("use_asa", off.on()),
                            config.integer("asa_target_subspaces", off.target()),
                            config.integer("init_warmup", off.first()),
                            config.integer("final_warmup", off.last()),
                            config.integer("mask_interval", off.interval()),
                            config.number("asa_importance_beta", off.importanceDecay()),
                            config.number("asa_uncertainty_beta", off.uncertaintyDecay()),
                            config.number("asa_schedule_exponent", off.exponent())),
                    TargetModules.read(config),
                    startsAtZero(config));
        }

        /** {@code "orthogonal"}, or null for a random start. */
        private static boolean startsAtZero(Fields config) {
            String given = config.stringOrNull("init_weights");
            if (given != null && !given.equals("orthogonal")) {
                throw config.invalid("init_weights", "\"orthogonal\" or null", "orthogonal");
            }
            return given != null || !config.has("init_weights");
        }
    }
}
