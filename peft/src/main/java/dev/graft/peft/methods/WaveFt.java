package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Linear;
import dev.graft.peft.ByModule;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Targets;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * WaveFT (Bilican et al., 2025): {@code y = W x + b + ΔW x} with {@code ΔW = s · T⁻¹(C)}, where T⁻¹ is one level of the inverse discrete
 * wavelet transform in both dimensions and {@code C} is zero but for n trained coefficients at random places. C is a little larger than
 * {@code [out, in]} with filters longer than two, and the result is cut in its middle. Without a wavelet ΔW = s · C, the paper's SHiRA-like
 * variant. The coefficients start at zero, so a new adapter changes nothing.
 *
 * <p>Trained: n for a layer, or its share of all by size. Files: {@code <module>.waveft_spectrum [n]}; PEFT's file has no places, it draws
 * them again from {@code random_loc_seed} with torch's generator, as is done here; they are also written beside it. Merges: W + ΔW. Use
 * it as {@link FourierFt}; a coefficient changes few neighbouring entries of W rather than all. Not on embeddings.
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
 * @param seed of the places
 * @param bias which of the base's biases are trained
 * @param startAtZero whether the coefficients start at zero; else they are normal with standard deviation 0.01
 */
public record WaveFt(
        ByModule<Integer> frequencies,
        boolean proportional,
        double scaling,
        String wavelet,
        boolean transform,
        int seed,
        Targets targets,
        Bias bias,
        boolean startAtZero)
        implements Method {
    /** 2592 coefficients for every linear layer but the head, Haar's wavelet. */
    public static final WaveFt DEFAULT =
            new WaveFt(ByModule.of(2592), false, 5, "db1", true, 777, Targets.ALL_LINEAR, Bias.NONE, true);

    public WaveFt {
        Wavelet.named(wavelet);
        if (proportional && !frequencies.pattern().isEmpty()) {
            throw new InputException(
                    "n_frequency_pattern is given, but proportional_parameters is true: it decides alone");
        }
    }

    public WaveFt withFrequencies(int n) {
        return new WaveFt(ByModule.of(n), proportional, scaling, wavelet, transform, seed, targets, bias, startAtZero);
    }

    public WaveFt withWavelet(String name) {
        return new WaveFt(frequencies, proportional, scaling, name, true, seed, targets, bias, startAtZero);
    }

    public WaveFt withTargets(Targets newTargets) {
        return new WaveFt(frequencies, proportional, scaling, wavelet, transform, seed, newTargets, bias, startAtZero);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orBy(g.base(), FourierFt.TARGETS), "WaveFT");
        double all = sites.stream().mapToDouble(WaveFt::size).sum();
        Places.Order order = new Places.Order(seed);
        for (Linear site : sites) {
            int n = proportional
                    ? (int) Math.max(1, Math.rint(size(site) / all * ((long) frequencies.value() * sites.size())))
                    : frequencies.at(site.name());
            Places places = Places.first(g, site, "waveft_indices", order, n);
            Tensor spectrum =
                    g.parameter(site, "waveft_spectrum", startAtZero ? Initial.ZEROS : Initial.normal(0.01), n);
            g.add(site, update(site, spectrum, places));
        }
        bias.graft(g, sites);
    }

    private static double size(Linear site) {
        return (double) site.out() * site.in();
    }

    private Update update(Linear site, Tensor spectrum, Places places) {
        if (!transform) {
            return new Update(spectrum, places, null, site.out(), site.in(), scaling);
        }
        Wavelet filters = Wavelet.named(wavelet);
        Places padded = places.within(even(site.out() + filters.reduction()), even(site.in() + filters.reduction()));
        return new Update(spectrum, padded, filters, site.out(), site.in(), scaling);
    }

    private static long even(long size) {
        return size + size % 2;
    }

    private record Update(
            Tensor spectrum, Places places, @Nullable Wavelet wavelet, long out, long in, double scaling)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, Pass pass) {
            return Ops.linear(x, Ops.to(weight(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            Tensor coefficients = places.scatter(spectrum);
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
            return new Capabilities(true, true, true, true);
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
                    ByModule.integers(config, "n_frequency", 2592, 1, "n_frequency_pattern"),
                    config.bool("proportional_parameters", false),
                    config.number("scaling", 25),
                    config.string("wavelet_family", "db1"),
                    config.bool("use_idwt", true),
                    config.integer("random_loc_seed", 777),
                    Targets.read(config),
                    Bias.read(config, "waveft_only"),
                    config.bool("init_weights", true));
        }
    }
}
