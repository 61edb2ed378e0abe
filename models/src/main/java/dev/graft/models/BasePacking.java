package dev.graft.models;

import dev.graft.models.matrices.DenseMatrix;
import dev.graft.models.matrices.MatrixPacking;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Cpu;
import dev.graft.tensor.Numerics;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Packs the linear layers of a model for faster products, and tells which products are batch-invariant: a row has the same bits beside any
 * others.
 */
final class BasePacking {
    private BasePacking() {}

    static Stream<Linear> linears(List<Site> sites) {
        return sites.stream().filter(Linear.class::isInstance).map(Linear.class::cast);
    }

    /** Packs the chosen layers: siblings as one matrix, all others alone. */
    static void pack(Backbone backbone, List<Site> sites, Predicate<Linear> chosen) {
        backbone.siblings().stream()
                .filter(siblings -> siblings.stream().allMatch(chosen))
                .forEach(siblings -> MatrixPacking.pack(
                        siblings.stream().map(Linear::matrix).toList(),
                        siblings.stream()
                                .map(Linear::bias)
                                .filter(Objects::nonNull)
                                .toList()));
        linears(sites).filter(chosen).forEach(linear -> MatrixPacking.pack(linear.matrix()));
    }

    /** Returns true if the products of all layers round a row alike beside any other rows. */
    static boolean isBatchInvariant(List<Site> sites, Numerics numerics) {
        boolean bf16 = numerics.base().value == ScalarType.BFloat16.value && Cpu.hasBf16();
        return sites.stream()
                .allMatch(site -> !(site instanceof Projection || site instanceof Experts)
                        || (site instanceof Linear linear
                                && linear.matrix() instanceof DenseMatrix matrix
                                && (matrix.isPacked() || bf16 && !Cpu.hasAmx())));
    }
}
