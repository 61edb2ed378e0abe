package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Bias;
import dev.graft.peft.CachedValue;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.math.BigInteger;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * C³A, circular convolution adaptation (Chen et al., 2024): {@code y = W x + b + ΔW x}, where ΔW consists of circulant blocks {@code [b, b]}:
 * with the kernel w of the block, {@code ΔW[t, j] = w[(j - t) mod b] / in}. Its rank isn't bounded by the number of trained values. Here kernels
 * start at zero, so a new adapter changes nothing; PEFT's start Xavier-uniform.
 *
 * <p>Trained: out · in / b for a layer. Files: {@code <module>.c3a_kernel [out / b, in / b, b]}. Merges: W + ΔW. Use it if LoRA's rank is the
 * limit. b divides all sizes; a larger b trains fewer values. The division by {@code in} makes the update small, so it needs learning rates about
 * a hundred times LoRA's. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, C3a.DEFAULT.withBlock(64), 42);
 * }</pre>
 *
 * @param block b; 0 for the largest of at most 64 that divides the sizes of all target layers
 * @param bias which of the base's biases are trained
 * @param init the initialisation of the kernels
 */
@RecordBuilder
public record C3a(PatternValue<Integer> block, TargetModules targets, Bias bias, Init init)
        implements Method, C3aBuilder.With {
    /** The largest blocks of at most 64 that fit every linear layer but the head. */
    public static final C3a DEFAULT = new C3a(PatternValue.of(0), TargetModules.ALL_LINEAR, Bias.NONE, Init.ZEROS);

    private static final int LARGEST = 64;

    /** The initialisation of kernels. */
    public enum Init {
        ZEROS,
        /** Standard normal. */
        GAUSSIAN,
        /** Uniform on ±√(6 / (in + out)). */
        XAVIER_UNIFORM,
        /** Uniform on ±1/√in. */
        KAIMING_UNIFORM;

        Initializer of(Linear site) {
            return switch (this) {
                case ZEROS -> Initializer.ZEROS;
                case GAUSSIAN -> Initializer.normal(1);
                case XAVIER_UNIFORM -> Initializer.uniform(Math.sqrt(6.0 / (site.in() + site.out())));
                case KAIMING_UNIFORM -> Initializer.uniform(1 / Math.sqrt(site.in()));
            };
        }
    }

    /** Returns a copy with blocks of this size for every module. */
    public C3a withBlock(int size) {
        return withBlock(PatternValue.of(size));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.FOURIERFT), "C3A");
        PatternValue<Integer> sizes = sizes(sites);
        for (Linear site : sites) {
            int b = sizes.at(site.name());
            if (site.in() % b != 0 || site.out() % b != 0) {
                throw new InputException("block_size " + b + " doesn't divide both sizes of " + site.name() + ", "
                        + site.in() + " in and " + site.out() + " out");
            }
            Tensor kernel = g.parameter(site, "c3a_kernel", init.of(site), site.out() / b, site.in() / b, b);
            g.add(site, Circulant.of(g, kernel, b));
        }
        bias.graft(g, sites);
    }

    private PatternValue<Integer> sizes(List<? extends Site> sites) {
        if (block.value() > 0) {
            return block;
        }
        BigInteger divisor = BigInteger.ZERO;
        for (Site site : sites) {
            if (site instanceof Linear linear) {
                divisor = divisor.gcd(BigInteger.valueOf(linear.in())).gcd(BigInteger.valueOf(linear.out()));
            }
        }
        int size = divisor.min(BigInteger.valueOf(LARGEST)).intValueExact();
        while (divisor.mod(BigInteger.valueOf(size)).signum() != 0) {
            size--;
        }
        return new PatternValue<>(size, block.pattern());
    }

    /** Returns the index in the kernel of each entry of its block, row by row. */
    private static Tensor places(int b) {
        long[] places = new long[b * b];
        for (int t = 0; t < b; t++) {
            for (int j = 0; j < b; j++) {
                places[t * b + j] = Math.floorMod(j - t, b);
            }
        }
        return Tensors.of(places, places.length);
    }

    /**
     * The effect on one layer. A product with a circulant block is a circular correlation, so ΔW x is made of products of spectra, and ΔW is not made.
     *
     * @param spectra of the blocks' kernels, conjugate, {@code [b / 2 + 1, in / b, out / b]}
     */
    private record Circulant(Tensor kernel, CachedValue spectra) implements Effect.Delta {
        static Circulant of(Grafter g, Tensor kernel, int b) {
            double share = 1.0 / (kernel.size(1) * b);
            CachedValue spectra = g.cached(() -> torch.fft_rfft(Ops.scale(kernel, share))
                    .conj()
                    .permute(2, 1, 0)
                    .resolve_conj()
                    .contiguous());
            return new Circulant(kernel, spectra);
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            long b = kernel.size(2);
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = kernel.size(0) * b;
            Tensor pieces = Ops.to(x, kernel.scalar_type()).reshape(-1, kernel.size(1), b);
            Tensor sums = torch.fft_rfft(pieces).permute(2, 0, 1).bmm(spectra.value());
            Tensor y = torch.fft_irfft(sums.permute(1, 2, 0), new LongOptional(b), -1, new StringViewOptional());
            return Ops.to(y.reshape(shape), x.scalar_type());
        }

        @Override
        public Tensor weight() {
            long rows = kernel.size(0);
            long columns = kernel.size(1);
            long b = kernel.size(2);
            Tensor blocks = kernel.index_select(2, places((int) b)).view(rows, columns, b, b);
            return Ops.scale(blocks.transpose(1, 2).reshape(rows * b, columns * b), 1.0 / (columns * b));
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        boolean excludes = !targets.excludedNames().isEmpty() || targets.excludedRegex() != null;
        (excludes ? targets.withExplicitNames(base) : targets).write(json);
        json.remove("exclude_modules");
        sizes(
                        block.value() > 0
                                ? List.of()
                                : targets.orDefaults(base, DefaultTargets.Table.FOURIERFT)
                                        .match(base, List.of()))
                .write(json, "block_size", "block_size_pattern");
        bias.write(json, "c3a_only");
        switch (init) {
            case ZEROS -> json.put("init_weights", true);
            case GAUSSIAN -> json.put("init_weights", "gaussian");
            case XAVIER_UNIFORM -> json.put("init_weights", "xavier_uniform");
            case KAIMING_UNIFORM -> json.put("init_weights", "kaiming_uniform");
        }
    }

    /** Registers {@code c3a}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "c3a";
        }

        @Override
        public String summary() {
            return "adds blocks that are circular convolutions to a weight";
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
            return "C3A";
        }

        @Override
        public double rateFactor() {
            return 100;
        }

        @Override
        public Method read(Fields config, Base base) {
            return new C3a(
                    PatternValue.readIntegers(config, "block_size", 256, 1, "block_size_pattern"),
                    TargetModules.read(config),
                    Bias.read(config, "c3a_only"),
                    init(config));
        }

        private static Init init(Fields config) {
            JsonNode value = config.node("init_weights");
            if (value != null && value.isBoolean()) {
                return config.bool("init_weights") ? Init.ZEROS : Init.XAVIER_UNIFORM;
            }
            return switch (config.choice(
                    "init_weights", "xavier_uniform", "xavier_uniform", "kaiming_uniform", "gaussian")) {
                case "gaussian" -> Init.GAUSSIAN;
                case "kaiming_uniform" -> Init.KAIMING_UNIFORM;
                default -> Init.XAVIER_UNIFORM;
            };
        }
    }
}
