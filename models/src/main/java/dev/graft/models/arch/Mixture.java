package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Pass;
import dev.graft.models.Ragged;
import dev.graft.models.Routing;
import dev.graft.models.Weights;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
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
 * A mixture of experts (Shazeer et al., 2017) in place of a feed-forward block: a router chooses k of E gated blocks for each position and
 * adds their answers, weighted by its probabilities, {@code Σ p_e · down_e(activation(gate_e(x)) ⊙ up_e(x))}.
 */
final class Mixture implements FeedForward {
    private final Config config;
    private final ScalarType small;
    private final Linear router;
    private final Experts gateUp;
    private final Experts down;

    /**
     * The shape of a mixture.
     *
     * @param experts how many there are
     * @param chosen how many answer for a position
     * @param intermediate the inner size of one
     * @param normalised whether the weights of the chosen ones are scaled to add up to 1
     * @param names what checkpoints call an expert's matrices
     * @param balance the weight of the load-balance loss in training; 0 for none
     */
    record Config(
            int experts,
            int chosen,
            int intermediate,
            boolean normalised,
            Activation activation,
            Names names,
            double balance) {}

    /**
     * What checkpoints call the matrices of an expert, which the model in memory holds in two tensors.
     *
     * @param block the module that the router and the experts are in, after the layer's name
     */
    record Names(String block, String gate, String up, String down) {}

    /** The weight of the load-balance loss, which counts if {@code output_router_logits} is true. */
    static double balance(Fields f) {
        double coefficient = f.number("router_aux_loss_coef", 0.001);
        return f.bool("output_router_logits", false) ? coefficient : 0;
    }

    Mixture(Config config, Weights w, String layer, int index, int hidden) {
        this.config = config;
        small = w.numerics().small();
        String module = layer + ".mlp";
        String stored = layer + "." + config.names.block;
        int inner = config.intermediate;
        router = new Linear(
                module + ".gate",
                Role.ROUTER,
                index,
                w.renamed(module + ".gate.weight", stored + ".gate.weight", config.experts, hidden),
                null);
        IntFunction<String> expert = e -> stored + ".experts." + e + ".";
        gateUp = new Experts(
                module + ".experts.gate_up_proj",
                index,
                w.stacked(
                        module + ".experts.gate_up_proj",
                        e -> List.of(
                                expert.apply(e) + config.names.gate + ".weight",
                                expert.apply(e) + config.names.up + ".weight"),
                        config.experts,
                        2L * inner,
                        hidden));
        down = new Experts(
                module + ".experts.down_proj",
                index,
                w.stacked(
                        module + ".experts.down_proj",
                        e -> List.of(expert.apply(e) + config.names.down + ".weight"),
                        config.experts,
                        hidden,
                        inner));
    }

    @Override
    public Tensor apply(@Nullable Norm norm, Tensor h, ScalarType base, Pass pass) {
        Tensor x = pass.norm(norm, h, base);
        Ragged ragged = pass.context().ragged();
        if (ragged != null) {
            // How many positions meet at an expert depends on all rows, so each row goes alone.
            return pass.piece(() -> new Tensor[] {ragged.each(x, (row, own) -> mixed(row, routed(row, own), own))})[0];
        }
        Tensor[] results = pass.piece(() -> {
            Tensor logits = routed(x, pass);
            return new Tensor[] {mixed(x, logits, pass), logits};
        });
        if (config.balance > 0) {
            pass.route(new Routing(results[1], config.chosen, config.balance));
        }
        return results[0];
    }

    /** The router's scores, {@code [positions, experts]}. */
    private Tensor routed(Tensor x, Pass pass) {
        return Ops.to(pass.hooks().linear(router, x, pass), small).view(-1, config.experts);
    }

    private Tensor mixed(Tensor x, Tensor logits, Pass pass) {
        long width = x.size(1);
        Tensor rows = x.reshape(-1, x.size(2));
        var best = logits.softmax(-1).topk(config.chosen);
        Tensor weights = best.get0();
        if (config.normalised) {
            weights = weights.div(Ops.sum(weights, -1, true));
        }
        long[] chosen = Tensors.longs(best.get1().contiguous());
        Tensor all = Tensors.zeros(small, Tensors.shape(rows));
        for (int e = 0; e < config.experts; e++) {
            Choice choice = Choice.of(e, chosen, config.chosen, width);
            if (choice.places.length > 0) {
                Tensor index = Tensors.of(choice.positions, choice.positions.length);
                Tensor factor = weights.reshape(-1).index_select(0, Tensors.of(choice.places, choice.places.length));
                Tensor answer = Ops.to(expert(e, rows.index_select(0, index), choice.batchRows, pass), small);
                all = all.index_add(0, index, answer.mul(factor.unsqueeze(1)));
            }
        }
        return Ops.to(all, x.scalar_type()).view(Tensors.shape(x));
    }

    private Tensor expert(int e, Tensor x, long[] batchRows, Pass pass) {
        TensorVector halves = pass.hooks().expert(gateUp, e, x, batchRows, pass).chunk(2, -1);
        Tensor inner = config.activation.apply(halves.get(0)).mul(halves.get(1));
        return pass.hooks().expert(down, e, inner, batchRows, pass);
    }

    /**
     * The positions that chose an expert.
     *
     * @param places where the choice is among those of all positions
     * @param positions of the flattened batch
     * @param batchRows the rows of the batch that they are in
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
    public List<Site> sites() {
        return new ArrayList<>(List.of(router, gateUp, down));
    }
}
