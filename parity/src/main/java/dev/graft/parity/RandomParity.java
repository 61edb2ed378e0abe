package dev.graft.parity;

import dev.graft.formats.Sha256;
import dev.graft.tensor.NumpyRng;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** The numbers of torch's generator and of NumPy's. */
final class RandomParity {
    /** From sixteen normal numbers on the last bit depends on the processor's vectors. */
    private static final Tolerance LAST_BIT = new Tolerance(1e-7, 1e-6);

    private RandomParity() {}

    private static TorchRng rng(JsonNode stored) {
        return new TorchRng(stored.path("seed").longValue());
    }

    static void permutation(CaseCheck check, JsonNode stored) {
        Tensor order = rng(stored).permutation(stored.path("n").longValue());
        check.same(
                "the permutation's hash",
                Sha256.of(Tensors.bytes(order).array()),
                stored.path("sha256_of_int64_little_endian").asString());
    }

    static void uniform(CaseCheck check, JsonNode stored) {
        values(check, rng(stored).uniform(0, 1, stored.path("n").longValue()), stored, Tolerance.EXACT);
    }

    static void normal(CaseCheck check, JsonNode stored) {
        long n = stored.path("n").longValue();
        values(check, rng(stored).normal(0, 1, n), stored, n < 16 ? Tolerance.EXACT : LAST_BIT);
    }

    static void kaiming(CaseCheck check, JsonNode stored) {
        long rows = stored.path("shape").get(0).longValue();
        long columns = stored.path("shape").get(1).longValue();
        double a = stored.path("a").doubleValue();
        double bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + a * a)) / Math.sqrt(columns));
        values(check, rng(stored).uniform(-bound, bound, rows, columns).view(-1), stored, Tolerance.EXACT);
    }

    static void numpy(CaseCheck check, JsonNode stored) {
        long seed = stored.path("seed").longValue();
        NumpyRng rng = new NumpyRng(seed);
        for (JsonNode number : stored.path("random")) {
            check.same("random", rng.nextDouble(), number.doubleValue());
        }
        for (JsonNode number : stored.path("integers_0_100")) {
            check.same("integers", rng.nextLong(100), number.longValue());
        }
        long[] order = stored.path("permutation_20")
                .valueStream()
                .mapToLong(JsonNode::longValue)
                .toArray();
        check.same(
                "the permutation",
                Arrays.toString(new NumpyRng(seed).permutation(order.length)),
                Arrays.toString(order));
    }

    private static void values(CaseCheck check, Tensor got, JsonNode stored, Tolerance tolerance) {
        JsonNode list = stored.path("values");
        double[] expected = new double[list.size()];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = (float) list.get(i).doubleValue();
        }
        check.values("the values", Tensors.doubles(got), expected, tolerance);
    }
}
