package dev.graft.run.doctor;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.FusedOps;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Checks that libtorch loads, and measures how fast its matrix products are here. */
final class LibtorchCheck implements DoctorCheck {
    private static final int SIZE = 512;
    private static final long PATIENCE_NANOS = 50_000_000;

    @Override
    public String title() {
        return "libtorch";
    }

    @Override
    public List<DoctorFinding> findings(HostSystem host) {
        try {
            long start = System.nanoTime();
            Natives.load();
            return loaded((System.nanoTime() - start) / 1e9);
        } catch (RuntimeException | LinkageError e) {
            return List.of(DoctorFinding.problem(
                    "loads",
                    "no",
                    String.valueOf(e.getMessage()).lines().findFirst().orElse("")
                            + "; see docs/how-to/choose-natives.md"));
        }
    }

    private static List<DoctorFinding> loaded(double seconds) {
        List<DoctorFinding> findings = new ArrayList<>();
        findings.add(
                DoctorFinding.ok("loads", String.format(Locale.ROOT, "yes, in %.1f s, by %s", seconds, version())));
        findings.add(DoctorFinding.ok(
                "threads",
                Natives.threads() + " for tensors, " + openblas_nolapack.blas_get_num_threads() + " inside OpenBLAS"));
        findings.add(loops());
        double single = rate(ScalarType.Float);
        findings.add(DoctorFinding.ok("fp32 products", figure(single)));
        double half = rate(ScalarType.BFloat16);
        findings.add(
                Cpu.hasBf16() && half < single
                        ? DoctorFinding.warning(
                                "bf16 products",
                                figure(half),
                                "slower than fp32 although the processor has bf16: give dtype=fp32")
                        : DoctorFinding.ok("bf16 products", figure(half)));
        return findings;
    }

    private static DoctorFinding loops() {
        String problem = FusedOps.loadProblem();
        if (problem != null) {
            return DoctorFinding.warning(
                    "fused loops",
                    "not loaded: " + problem,
                    "training takes half as long again; give a folder from which libraries may be loaded:"
                            + " JAVA_OPTS=-Djava.io.tmpdir=DIR");
        }
        String loops = FusedOps.processor();
        return DoctorFinding.ok(
                "fused loops", loops == null ? "none for this platform: libtorch does their work" : "for " + loops);
    }

    /** The jar that the library came in, such as {@code pytorch-2.10.0-1.5.13.jar}. */
    private static String version() {
        var source = torch.class.getProtectionDomain().getCodeSource();
        return source == null ? "libtorch" : source.getLocation().getPath().replaceAll(".*/", "");
    }

    private static String figure(double rate) {
        return String.format(Locale.ROOT, "%.0f GFLOP/s", rate / 1e9);
    }

    /** Floating-point operations a second in products of square matrices. */
    private static double rate(ScalarType type) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor a = Ops.to(Rng.of(1, "a").normal(0, 1, SIZE, SIZE), type);
            Tensor b = Ops.to(Rng.of(1, "b").normal(0, 1, SIZE, SIZE), type);
            a.mm(b);
            long start = System.nanoTime();
            int products = 0;
            while (products == 0 || System.nanoTime() - start < PATIENCE_NANOS) {
                try (Scope each = new Scope()) {
                    a.mm(b);
                }
                products++;
            }
            return products * 2.0 * SIZE * SIZE * SIZE / ((System.nanoTime() - start) / 1e9);
        }
    }
}
