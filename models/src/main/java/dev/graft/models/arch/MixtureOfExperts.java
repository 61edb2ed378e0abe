package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.models.forward.Routing;
import dev.graft.models.functions.Activation;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A mixture of experts (Shazeer et al., 2017) in place of a feed-forward block. A router chooses k of E gated blocks
 * for each position and adds their outputs, {@code Σ p_e · f_e(x)} with
 * {@code f_e(x) = down_e(activation(gate_e(x)) ⊙ up_e(x))}. {@link Gate} defines p. Llama 4 scales the inputs of
 * experts instead, {@code Σ f_e(p_e · x)}, and adds the output of a block that all positions share.
 */
final class MixtureOfExperts implements FeedForward {
    private final Config config;
    private final ScalarType small;
    private final Linear router;
    private final Experts gateUp;
    private final Experts down;
    private final @Nullable Gated shared;

    /** The conversion of the router's scores of the chosen experts to weights. */
    enum Gate {
        /** Their probabilities among all experts, applied to outputs. */
        PROBABILITY,
        /** These probabilities, scaled to add up to 1. */
        NORMALISED,
        /** Sigmoids of the scores, applied to inputs. */
        INPUT_SIGMOID
    }

    /**
     * The shape of a mixture.
     *
     * @param experts the number of experts
     * @param topK the number of experts for a position
     * @param intermediate the inner size of an expert
     * @param shares whether all positions share another block of that size
     * @param balance the weight of the load-balance loss in training; 0 for none
     */
    record Config(
            int experts,
            int topK,
            int intermediate,
            Gate gate,
            boolean shares,
            Activation activation,
            Names names,
            double balance) {}

    /**
     * The names of the parts of the block in a family.
     *
     * @param block the module that contains them, after the layer's name
     * @param files their names in checkpoints where each expert has matrices of its own; null if two tensors
     *     {@code [experts, in, out]} contain them
     */
    record Names(String block, String router, @Nullable Files files) {
        /** Returns the names of Mixtral and Qwen3, whose current names differ from those in files. */
        static Names of(Files files) {
            return new Names("mlp", "gate", files);
        }
    }

    /**
     * The names in checkpoints of the block and of the matrices of an expert; the model in memory has them in two
     * tensors.
     */
    record Files(String block, String gate, String up, String down) {}

    /** Reads the weight of the load-balance loss, which applies if {@code output_router_logits} is true. */
    static double balance(Fields f) {
        double coefficient = f.number("router_aux_loss_coef", 0.001);
        return f.bool("output_router_logits", false) ? coefficient : 0;
    }

    MixtureOfExperts(Config config, Weights w, String layer, int index, int hidden) {
        this.config = config;
        small = w.numerics().small();
        String module = layer + "." + config.names.block;
        String route = module + "." + config.names.router;
        Files files = config.names.files;
        int inner = config.intermediate;
        Tensor routes = files == null
                ? w.matrix(route + ".weight", config.experts, hidden)
                : w.renamed(route + ".weight", layer + "." + files.block + ".gate.weight", config.experts, hidden);
        router = new Linear(route, Role.ROUTER, index, routes, null);
        String first = module + ".experts.gate_up_proj";
        String second = module + ".experts.down_proj";
        if (files == null) {
            gateUp = new Experts(first, index, w.transposedExperts(first, config.experts, 2L * inner, hidden), true);
            down = new Experts(second, index, w.transposedExperts(second, config.experts, hidden, inner), true);
        } else {
            IntFunction<String> expert = e -> layer + "." + files.block + ".experts." + e + ".";
            IntFunction<List<String>> gatesUps =
                    e -> List.of(expert.apply(e) + files.gate + ".weight", expert.apply(e) + files.up + ".weight");
            IntFunction<List<String>> downs = e -> List.of(expert.apply(e) + files.down + ".weight");
            gateUp = new Experts(
                    first, index, w.stackedExperts(first, gatesUps, config.experts, 2L * inner, hidden), false);
            down = new Experts(second, index, w.stackedExperts(second, downs, config.experts, hidden, inner), false);
        }
        shared = config.shares ? shared(config, w, module + ".shared_expert.", index, hidden) : null;
    }

    private static Gated shared(Config config, Weights w, String name, int index, int hidden) {
        int inner = config.intermediate;
        return new Gated(
                List.of(
                        w.linear(name + "gate_proj", Role.GATE, index, inner, hidden, false),
                        w.linear(name + "up_proj", Role.UP, index, inner, hidden, false)),
                w.linear(name + "down_proj", Role.DOWN, index, hidden, inner, false),
                config.activation);
    }

    @Override
    public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, ForwardPass pass) {
        Tensor x = LayerOps.norm(pass, norm, h, base);
        Tensor chosen = chosen(x, pass);
        if (shared == null) {
            return chosen;
        }
        Tensor common = shared.apply(null, x, base, pass);
        return pass.segment(() -> new Tensor[] {common.add(chosen)})[0];
    }

    private Tensor chosen(Tensor x, ForwardPass pass) {
        RaggedBatch<ForwardPass> ragged = pass.ragged();
        if (ragged != null) {
            // How many positions meet at an expert depends on all rows, so each row goes alone.
            return pass.segment(() ->
                    new Tensor[] {ragged.mapRows(x, (row, rowPass) -> mixed(row, routed(row, rowPass), rowPass))})[0];
        }
        Tensor[] results = pass.segment(() -> {
            Tensor logits = routed(x, pass);
            return new Tensor[] {mixed(x, logits, pass), logits};
        });
        if (config.balance > 0) {
            pass.addRouting(new Routing(results[1], config.topK, config.balance));
        }
        return results[0];
    }

    /** Returns the router's scores, {@code [positions, experts]}. */
    private Tensor routed(Tensor x, ForwardPass pass) {
        return Ops.to(pass.hooks().linear(router, x, pass), small).view(-1, config.experts);
    }

    private Tensor mixed(Tensor x, Tensor logits, ForwardPass pass) {
        long width = x.size(1);
        Tensor rows = x.reshape(-1, x.size(2));
        boolean onInput = config.gate == Gate.INPUT_SIGMOID;
        var best = (onInput ? logits : logits.softmax(-1)).topk(config.topK);
        Tensor weights = switch (config.gate) {
            case PROBABILITY -> best.get0();
            case NORMALISED -> best.get0().div(Ops.sum(best.get0(), -1, true));
            case INPUT_SIGMOID -> best.get0().sigmoid();
        };
        long[] chosen = Tensors.longs(best.get1().contiguous());
        Tensor all = Tensors.zeros(small, Tensors.shape(rows));
        for (int e = 0; e < config.experts; e++) {
            Choice choice = Choice.of(e, chosen, config.topK, width);
            if (choice.places.length > 0) {
                Tensor index = Tensors.of(choice.positions, choice.positions.length);
                Tensor factor = weights.reshape(-1)
                        .index_select(0, Tensors.of(choice.places, choice.places.length))
                        .unsqueeze(1);
                Tensor given = rows.index_select(0, index);
                Tensor input = onInput ? Ops.to(given.mul(factor), given.scalar_type()) : given;
                Tensor answer = Ops.to(expert(e, input, choice.batchRows, pass), small);
                all = all.index_add(0, index, onInput ? answer : answer.mul(factor));
            }
        }
        return Ops.to(all, x.scalar_type()).view(Tensors.shape(x));
    }

    private Tensor expert(int e, Tensor x, long[] batchRows, ForwardPass pass) {
        TensorVector halves = pass.hooks().expert(gateUp, e, x, batchRows, pass).chunk(2, -1);
        Tensor inner = config.activation.apply(halves.get(0)).mul(halves.get(1));
        return pass.hooks().expert(down, e, inner, batchRows, pass);
    }

    /**
     * The positions that chose an expert.
     *
     * @param places the indexes of the choices among those of all positions
     * @param positions the positions in the flattened batch
     * @param batchRows the rows of the batch that contain them
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one pass, never shared
    private record Choice(long[] places, long[] positions, long[] batchRows) {
        static Choice of(int expert, long[] chosen, int each, long width) {
            long[] places = java.util.stream.IntStream.range(0, chosen.length)
                    .filter(place -> chosen[place] == expert)
                    .asLongStream()
                    .toArray();
            long[] positions =
                    java.util.Arrays.stream(places).map(place -> place / each).toArray();
            long[] rows = java.util.Arrays.stream(positions)
                    .map(position -> position / width)
                    .toArray();
            return new Choice(places, positions, rows);
        }
    }

    @Override
    public List<Linear> siblings() {
        return shared == null ? List.of() : shared.siblings();
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(router, gateUp, down));
        if (shared != null) {
            sites.addAll(shared.sites());
        }
        return sites;
    }
}
