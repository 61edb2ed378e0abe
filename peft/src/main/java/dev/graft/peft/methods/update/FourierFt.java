package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
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
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import tools.jackson.databind.node.ObjectNode;

/**
 * FourierFT (Gao et al., 2024): {@code y = W x + b + ΔW x} with {@code ΔW = s · Re F⁻¹(C)}, where F⁻¹ is the inverse discrete Fourier transform
 * in both dimensions and {@code C [out, in]} is zero except for n trained coefficients at random places, equal for all layers of one shape. Here
 * the coefficients start at zero, so a new adapter changes nothing; PEFT's start standard normal.
 *
 * <p>Trained: n for a layer of any size. Files: {@code <module>.fourierft_spectrum [n]}; PEFT's file lacks the places. PEFT, and Graft
 * ({@link dev.graft.tensor.TorchRng}), redraw them from {@code random_loc_seed} with torch's generator; they are also written beside its file.
 * Merges: W + ΔW. Use it if an adapter must be very small and still change whole matrices; it needs high learning rates. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, FourierFt.DEFAULT.withFrequencies(500), 42);
 * }</pre>
 *
 * @param frequencies n
 * @param scaling s
 * @param seed the seed of the places
 * @param bias which of the base's biases are trained
 * @param startAtZero whether the coefficients start at zero; else they are standard normal
 */
@RecordBuilder
public record FourierFt(
        PatternValue<Integer> frequencies,
        double scaling,
        int seed,
        TargetModules targets,
        Bias bias,
        boolean startAtZero)
        implements Method, FourierFtBuilder.With {
    /** 1000 coefficients for every linear layer but the head. */
    public static final FourierFt DEFAULT =
            new FourierFt(PatternValue.of(1000), 150, 777, TargetModules.ALL_LINEAR, Bias.NONE, true);

    /** Returns a copy with this number of coefficients for every module. */
    public FourierFt withFrequencies(int n) {
        return withFrequencies(PatternValue.of(n));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.FOURIERFT), "FourierFT");
        SparseIndices.TorchPermutation order = new SparseIndices.TorchPermutation(seed);
        for (Linear site : sites) {
            int n = frequencies.at(site.name());
            SparseIndices sparse = SparseIndices.first(g, site, "fourierft_indices", order, n);
            Tensor spectrum =
                    g.parameter(site, "fourierft_spectrum", startAtZero ? Initializer.ZEROS : Initializer.normal(1), n);
            g.add(site, new Spectral(spectrum, sparse, scaling));
        }
        bias.graft(g, sites);
    }

    /**
     * The effect on one layer. Of the transform in both dimensions one acts on x and one on the output, so ΔW is made in training alone, where the n
     * numbers of each position would have to be kept for the gradient.
     */
    private record Spectral(Tensor spectrum, SparseIndices sparse, double scaling) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            if (pass.isTraining()) {
                return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
            }
            long[] shape = Tensors.shape(x);
            Tensor rows = Ops.to(x, spectrum.scalar_type()).reshape(-1, sparse.columns());
            shape[shape.length - 1] = sparse.rows();
            Tensor y = torch.fft_ifft(sparse.times(spectrum, torch.fft_ifft(rows)));
            return Ops.to(Ops.scale(torch.real(y), scaling).reshape(shape), x.scalar_type());
        }

        @Override
        public Tensor weight() {
            return Ops.scale(torch.real(torch.fft_ifft2(sparse.scatter(spectrum))), scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        frequencies.write(json, "n_frequency", "n_frequency_pattern");
        json.put("scaling", scaling);
        json.put("random_loc_seed", seed);
        json.put("init_weights", startAtZero);
        json.put("fan_in_fan_out", false);
        bias.write(json, "fourier_only");
    }

    /** Registers {@code fourierft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "fourierft";
        }

        @Override
        public String summary() {
            return "adds the inverse Fourier transform of a few trained coefficients to a weight";
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
            return "FOURIERFT";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new FourierFt(
                    PatternValue.readIntegers(config, "n_frequency", 1000, 1, "n_frequency_pattern"),
                    config.number("scaling", 150),
                    config.integer("random_loc_seed", 777),
                    TargetModules.read(config),
                    Bias.read(config, "fourier_only"),
                    config.bool("init_weights", false));
        }
    }
}
