package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
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
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * WaveFT (Bilican et al., 2025): {@code y = W x + b + ΔW x} with {@code ΔW = s · T⁻¹(C)}, where T⁻¹ is one level of the inverse discrete wavelet
 * transform in both dimensions and {@code C} is zero except for n trained coefficients at random places. With filters longer than two, C is
 * slightly larger than {@code [out, in]}, and the result is its centre. Without a wavelet ΔW = s · C, the paper's SHiRA-like variant. The
 * coefficients start at zero, so a new adapter changes nothing.
 *
 * <p>Trained: n for a layer, or its share of all by size. Files: {@code <module>.waveft_spectrum [n]}; PEFT's file lacks the places. PEFT and
 * Graft redraw them from {@code random_loc_seed} with torch's generator; they are also written beside its file. Merges: W + ΔW. Use it like
 * {@link FourierFt}; a coefficient changes few neighbouring entries of W instead of all. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, WaveFt.DEFAULT.withWavelet("db2"), 42);
 * }</pre>
 *
 * @param frequencies n
 * @param proportional whether n times the number of layers is divided among them by size
 * @param scaling s
 * @param wavelet the wavelet's name
 * @param transform whether there is a transform; else ΔW = s · C
 * @param seed the seed of the places
 * @param bias which of the base's biases are trained
 * @param startAtZero whether the coefficients start at zero; else they are normal with standard deviation 0.01
 */
@RecordBuilder
public record WaveFt(
        PatternValue<Integer> frequencies,
        boolean proportional,
        double scaling,
        String wavelet,
        boolean transform,
        int seed,
        TargetModules targets,
        Bias bias,
        boolean startAtZero)
        implements Method, WaveFtBuilder.With {
    /** 2592 coefficients for every linear layer but the head, Haar's wavelet. */
    public static final WaveFt DEFAULT =
            new WaveFt(PatternValue.of(2592), false, 5, "db1", true, 777, TargetModules.ALL_LINEAR, Bias.NONE, true);

    public WaveFt {
        Wavelet.named(wavelet);
        if (proportional && !frequencies.pattern().isEmpty()) {
            throw new InputException(
                    "n_frequency_pattern is given, but proportional_parameters is true: it decides alone");
        }
    }

    /** Returns a copy with this number of coefficients for every module. */
    public WaveFt withFrequencies(int n) {
        return withFrequencies(PatternValue.of(n));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.FOURIERFT), "WaveFT");
        double all = sites.stream().mapToDouble(WaveFt::size).sum();
        SparseIndices.TorchPermutation order = new SparseIndices.TorchPermutation(seed);
        for (Linear site : sites) {
            int n = proportional
                    ? (int) Math.max(1, Math.rint(size(site) / all * ((long) frequencies.value() * sites.size())))
                    : frequencies.at(site.name());
            SparseIndices sparse = SparseIndices.first(g, site, "waveft_indices", order, n);
            Tensor spectrum =
                    g.parameter(site, "waveft_spectrum", startAtZero ? Initializer.ZEROS : Initializer.normal(0.01), n);
            g.add(site, update(site, spectrum, sparse));
        }
        bias.graft(g, sites);
    }

    private static double size(Linear site) {
        return (double) site.out() * site.in();
    }

    private Update update(Linear site, Tensor spectrum, SparseIndices sparse) {
        if (!transform) {
            return new Update(spectrum, sparse, null, site.out(), site.in(), scaling);
        }
        Wavelet filters = Wavelet.named(wavelet);
        SparseIndices padded =
                sparse.centredIn(even(site.out() + filters.reduction()), even(site.in() + filters.reduction()));
        return new Update(spectrum, padded, filters, site.out(), site.in(), scaling);
    }

    private static long even(long size) {
        return size + size % 2;
    }

    private record Update(
            Tensor spectrum, SparseIndices sparse, @Nullable Wavelet wavelet, long out, long in, double scaling)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            Tensor coefficients = sparse.scatter(spectrum);
            Tensor whole = wavelet == null ? coefficients : wavelet.inverse(coefficients);
            return Ops.scale(
                    whole.narrow(0, (whole.size(0) - out) / 2, out).narrow(1, (whole.size(1) - in) / 2, in), scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        frequencies.write(json, "n_frequency", "n_frequency_pattern");
        json.put("proportional_parameters", proportional);
        json.put("scaling", scaling);
        json.put("wavelet_family", wavelet);
        json.put("use_idwt", transform);
        json.put("random_loc_seed", seed);
        json.put("init_weights", startAtZero);
        json.put("fan_in_fan_out", false);
        bias.write(json, "waveft_only");
    }

    /** Registers {@code waveft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "waveft";
        }

        @Override
        public String summary() {
            return "adds the inverse wavelet transform of a few trained coefficients to a weight";
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
            return "WAVEFT";
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new WaveFt(
                    PatternValue.readIntegers(config, "n_frequency", 2592, 1, "n_frequency_pattern"),
                    config.bool("proportional_parameters", false),
                    config.number("scaling", 25),
                    config.string("wavelet_family", "db1"),
                    config.bool("use_idwt", true),
                    config.integer("random_loc_seed", 777),
                    TargetModules.read(config),
                    Bias.read(config, "waveft_only"),
                    config.bool("init_weights", true));
        }
    }
}
