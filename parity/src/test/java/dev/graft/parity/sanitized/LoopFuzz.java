package dev.graft.parity.sanitized;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.BatchedLowRankProduct;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedAttention;
import dev.graft.tensor.ops.FusedNorm;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.KernelRecording;
import dev.graft.tensor.ops.LowRankFactors;
import dev.graft.tensor.ops.PackedWeight;
import dev.graft.tensor.ops.Products;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Calls the loops with operands of drawn shapes, types and strides, most of which fit: each call gives a result or is refused. Run in a process of
 * its own whose loops check every access.
 */
public final class LoopFuzz {
    private final Random random;
    private final Rng rng;
    private long calls;
    private long refused;

    private LoopFuzz(long seed) {
        random = new Random(seed);
        rng = Rng.of(seed, "fuzz");
    }

    /** Takes a seed and a number of seconds; prints the numbers of calls and of refusals. */
    public static void main(String[] args) {
        LoopFuzz fuzz = new LoopFuzz(Long.parseLong(args[0]));
        long end = System.nanoTime() + Long.parseLong(args[1]) * 1_000_000_000L;
        try (NoGrad noGrad = new NoGrad()) {
            while (System.nanoTime() < end) {
                fuzz.call();
            }
        }
        System.out.println(FusedOps.processor() + ": " + fuzz.calls + " calls, " + fuzz.refused + " refused");
    }

    private void call() {
        calls++;
        try (Scope scope = new Scope()) {
            List<Runnable> loops = List.of(
                    this::gate,
                    this::elements,
                    this::norms,
                    this::postNorms,
                    this::softmax,
                    this::rotate,
                    this::attendNext,
                    this::crossEntropy,
                    this::codes,
                    this::products,
                    this::updates,
                    this::recordings);
            loops.get(random.nextInt(loops.size())).run();
        } catch (TensorException | IllegalArgumentException | IndexOutOfBoundsException error) {
            refused++;
        } catch (RuntimeException error) {
            if (!TensorException.isNative(error)) {
                throw error;
            }
            refused++; // libtorch's own
        }
    }

    private long size(int most) {
        return 1L + random.nextInt(random.nextInt(4) == 0 ? most : Math.min(most, 9));
    }

    /** Mostly the number itself. */
    private long near(long number) {
        return random.nextInt(12) == 0 ? Math.max(1, number + random.nextInt(5) - 2) : number;
    }

    private ScalarType type() {
        return random.nextInt(2) == 0 ? ScalarType.Float : ScalarType.BFloat16;
    }

    /** A tensor of such a shape, now and then a part of a wider or longer one, or a transposed one. */
    private Tensor tensor(ScalarType type, long... shape) {
        long[] sizes = shape.clone();
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = near(sizes[i]);
        }
        int last = sizes.length - 1;
        int kind = random.nextInt(6);
        if (kind == 0) {
            int dimension = random.nextInt(sizes.length);
            long[] wider = sizes.clone();
            long before = random.nextInt(3);
            wider[dimension] += before + random.nextInt(3);
            return Ops.to(rng.normal(0, 1, wider), type).narrow(dimension, before, sizes[dimension]);
        }
        if (kind == 1 && last > 0) {
            int a = random.nextInt(sizes.length);
            int b = random.nextInt(sizes.length);
            long[] turned = sizes.clone();
            turned[a] = sizes[b];
            turned[b] = sizes[a];
            return Ops.to(rng.normal(0, 1, turned), type).transpose(a, b);
        }
        return Ops.to(rng.normal(0, 1, sizes), type);
    }

    private void gate() {
        ScalarType type = type();
        long[] shape = {size(4), size(9), size(70)};
        Tensor gate = tensor(type, shape);
        Tensor up = random.nextBoolean() ? tensor(type, shape) : null;
        FusedOps.GateFunction function = FusedOps.GateFunction.values()[random.nextInt(2)];
        FusedOps.gate(function, gate, up);
        FusedOps.gateBackward(function, gate, up, tensor(type, shape));
    }

    private void elements() {
        long[] shape = {size(4), size(5), size(9), size(70)};
        ScalarType type = type();
        Tensor x = tensor(type, shape);
        Tensor y = tensor(type, shape);
        FusedOps.add(x, tensor(type(), shape));
        FusedOps.addTo(y, tensor(type(), shape));
        FusedOps.copy(x, y, 0.5);
        FusedOps.contiguous(x, 2);
        FusedOps.cast(x, type());
        FusedOps.isFinite(x);
        Dropout.Mask mask = new Dropout.Mask(random.nextLong(), random.nextDouble());
        mask.apply(x);
        mask.applyInPlace(y);
    }

    private void norms() {
        long n = size(90);
        long parts = size(3);
        Tensor h = tensor(type(), size(9), parts * n);
        Tensor weight = tensor(ScalarType.Float, n);
        FusedNorm.rmsNorm(h, weight, 1e-6, type());
        Tensor sum = random.nextBoolean() ? tensor(h.scalar_type(), Tensors.shape(h)) : null;
        FusedNorm.rmsNormBackward(h, weight, 1e-6, tensor(type(), Tensors.shape(h)), sum);
        FusedNorm.layerNorm(h, weight, tensor(ScalarType.Float, n), 1e-5);
    }

    private void postNorms() {
        long n = random.nextInt(20) == 0 ? 4096 + 4 * random.nextInt(3) : 4 * size(40);
        long rows = size(9);
        Tensor weight = tensor(ScalarType.Float, n);
        Dropout.Mask mask = random.nextBoolean() ? new Dropout.Mask(random.nextLong(), 0.1) : null;
        Tensor residual = tensor(ScalarType.Float, rows, n);
        FusedNorm.postNorm(residual, tensor(type(), rows, n), weight, tensor(ScalarType.Float, n), 1e-5, mask);
        Tensor gradient = tensor(type(), rows, n);
        Tensor dh = random.nextBoolean() ? tensor(ScalarType.Float, rows, n) : null;
        Tensor dx = random.nextBoolean() ? tensor(type(), rows, n) : null;
        FusedNorm.postNormBackward(residual, weight, 1e-5, mask, gradient, dh, random.nextBoolean(), dx);
    }

    private void softmax() {
        ScalarType type = type();
        long rows = size(3);
        long queries = size(6);
        long keys = size(80);
        Tensor scores = tensor(type, rows, size(4), size(3) * queries, keys);
        Tensor mask = random.nextBoolean()
                ? null
                : tensor(
                        type,
                        random.nextBoolean() ? 1 : rows,
                        1,
                        random.nextBoolean() ? 1 : queries,
                        1 + random.nextInt((int) keys));
        FusedAttention.softmax(scores, mask, near(queries));
        FusedAttention.softmaxBackward(tensor(type, Tensors.shape(scores)), scores);
    }

    private void rotate() {
        long batch = size(3);
        long seq = size(9);
        long d = size(70);
        ScalarType angles = type();
        long[] shape = {random.nextBoolean() ? 1 : batch, 1, seq, random.nextInt(3) == 0 ? size(70) : d / 2 * 2};
        Tensor x = tensor(type(), batch, size(4), seq, d);
        Tensor cos = tensor(angles, shape);
        Tensor sin = tensor(angles, shape);
        FusedAttention.rotate(x, cos, sin, random.nextBoolean());
    }

    private void attendNext() {
        ScalarType type = type();
        long rows = size(4);
        long heads = size(3);
        long group = size(17);
        long d = random.nextInt(3) == 0 ? 64 * size(4) : size(260);
        long capacity = size(90);
        long[] places = new long[(int) near(rows)];
        for (int i = 0; i < places.length; i++) {
            places[i] = near(random.nextInt((int) capacity) + 1) - 1;
        }
        FusedAttention.attendNext(
                tensor(type, rows, heads * group, 1, d),
                tensor(type, rows, heads, 1, d),
                tensor(type, rows, heads, 1, d),
                tensor(type, rows, heads, capacity, d),
                tensor(type, rows, heads, capacity, d),
                Tensors.of(places, places.length),
                0.2);
    }

    private void crossEntropy() {
        long classes = size(90);
        long[] labels = new long[(int) size(9)];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = near(random.nextInt((int) classes) + 1) - 1;
        }
        Tensor logits = tensor(type(), labels.length, classes);
        Tensor weights = tensor(ScalarType.Float, labels.length);
        FusedOps.crossEntropy(logits, Tensors.of(labels, labels.length), weights, 0.1, 0.5);
    }

    private void codes() {
        long rows = size(9);
        long columns = size(90);
        Tensor codes = Ops.to(tensor(ScalarType.Float, rows, columns), ScalarType.Char);
        FusedOps.decodeInt8(codes, tensor(ScalarType.Float, rows), tensor(type(), rows, columns));
    }

    private void products() {
        long in = size(90);
        long out = size(90);
        Tensor a = tensor(ScalarType.BFloat16, size(40), in);
        Tensor b = tensor(ScalarType.BFloat16, in, out);
        Tensor sum = random.nextBoolean() ? null : tensor(type(), a.size(0), out);
        Products.product(a, b, random.nextBoolean() ? null : tensor(ScalarType.BFloat16, out), sum);
        long batch = size(3);
        Products.products(tensor(ScalarType.BFloat16, batch, 2, 9, in), tensor(ScalarType.BFloat16, batch, 2, in, out));
        PackedWeight packed = PackedWeight.of(tensor(ScalarType.BFloat16, out, in));
        if (packed != null) {
            packed.linear(tensor(ScalarType.BFloat16, size(4), size(9), in), tensor(ScalarType.BFloat16, out));
        }
    }

    private void updates() {
        ScalarType type = type();
        int texts = (int) size(4);
        long in = size(80);
        List<Long> outs = new ArrayList<>();
        for (long i = size(3); i > 0; i--) {
            outs.add(size(80));
        }
        try (BatchedLowRankProduct product = new BatchedLowRankProduct(type, texts, in, outs)) {
            for (int text = 0; text < texts; text++) {
                for (int layer = 0; layer < outs.size(); layer++) {
                    long rank = size(40);
                    Tensor a = Ops.to(rng.normal(0, 1, rank, near(in)), type);
                    Tensor b = Ops.to(rng.normal(0, 1, near(outs.get(layer)), rank), type);
                    product.put(text, layer, random.nextInt(4) == 0 ? null : new LowRankFactors(a, b, 0.5));
                }
            }
            product.times(tensor(type, texts, random.nextBoolean() ? 1 : size(20), in), 0);
        }
    }

    private void recordings() {
        long n = size(80);
        Tensor x = Ops.to(rng.normal(0, 1, size(4), n), type());
        Tensor weight = rng.normal(0, 1, n);
        try (KernelRecording recording = KernelRecording.of(
                List.of(x), () -> FusedOps.add(FusedNorm.rmsNorm(x, weight, 1e-6, x.scalar_type()), x))) {
            recording.replay(List.of(x.clone()));
        }
    }
}
