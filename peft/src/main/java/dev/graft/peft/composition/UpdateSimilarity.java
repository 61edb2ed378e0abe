package dev.graft.peft.composition;

import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The similarity of several adapters' updates over all modules.
 *
 * @param cosines the cosines of the angles between them, {@code [adapters][adapters]}
 * @param conflicts the share of changed entries in which two weighted updates have different signs
 */
public record UpdateSimilarity(List<List<Double>> cosines, double conflicts) {

    /** Sums over modules. */
    static final class Accumulator {
        private final List<Double> weights;
        private final double[][] products;
        private double changed;
        private double conflicting;

        Accumulator(List<Double> weights) {
            this.weights = weights;
            this.products = new double[weights.size()][weights.size()];
        }

        void add(List<Tensor> updates) {
            for (int i = 0; i < updates.size(); i++) {
                for (int j = i; j < updates.size(); j++) {
                    products[i][j] +=
                            Tensors.item(updates.get(i).mul(updates.get(j)).sum());
                    products[j][i] = products[i][j];
                }
            }
            Tensor up = null;
            Tensor down = null;
            for (int i = 0; i < updates.size(); i++) {
                Tensor directed = updates.get(i).mul(new Scalar(Math.signum(weights.get(i))));
                Tensor positive = directed.gt(new Scalar(0));
                Tensor negative = directed.lt(new Scalar(0));
                up = up == null ? positive : up.logical_or(positive);
                down = down == null ? negative : down.logical_or(negative);
            }
            if (up != null && down != null) {
                changed += Tensors.item(up.logical_or(down).sum());
                conflicting += Tensors.item(up.logical_and(down).sum());
            }
        }

        UpdateSimilarity similarity() {
            List<List<Double>> cosines = new ArrayList<>();
            for (int i = 0; i < products.length; i++) {
                List<Double> row = new ArrayList<>();
                for (int j = 0; j < products.length; j++) {
                    double norms = Math.sqrt(products[i][i] * products[j][j]);
                    row.add(norms == 0 ? 0 : products[i][j] / norms);
                }
                cosines.add(List.copyOf(row));
            }
            return new UpdateSimilarity(List.copyOf(cosines), changed == 0 ? 0 : conflicting / changed);
        }
    }
}
