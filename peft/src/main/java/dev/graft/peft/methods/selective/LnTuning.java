package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * LayerNorm tuning (Zhao et al., 2023): training of the weights and biases of the base's normalisations, {@code y = w' ⊙ x̂ + b'}. They start as
 * the base's, so a new adapter changes nothing.
 *
 * <p>Trained: hidden for an RMS norm, 2 · hidden for a layer norm. Files: {@code <module>.ln_tuning_layers.weight [hidden]} and {@code .bias}.
 * Merges: the norm with other values. Use it with little data on bases with influential norms; it can only scale and shift the layers' inputs.
 * PEFT also accepts other modules, which it then trains whole; here use {@code modules_to_save} for those.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, LnTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param targets the modules; by default all norms, or those that PEFT chooses for the architecture
 */
public record LnTuning(TargetModules targets) implements Method {
    /** Training of all norms, or of PEFT's choice for the architecture. */
    public static final LnTuning DEFAULT = new LnTuning(TargetModules.DEFAULT);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Site site : g.targets(named(g.base()), Norm.class::isInstance)) {
            if (site instanceof Norm norm) {
                Tensor bias = norm.bias();
                Tensor newWeight = parameter(g, site, "weight", norm.weight());
                g.add(site, new Effect.Replace(newWeight, bias == null ? null : parameter(g, site, "bias", bias)));
            }
        }
    }

    /** The targets by their names. */
    private TargetModules named(Base base) {
        TargetModules known = targets.orDefaults(base, DefaultTargets.Table.LN_TUNING);
        if (!known.isDefault()) {
            return known;
        }
        List<String> norms = base.sites().stream()
                .filter(Norm.class::isInstance)
                .map(Site::name)
                .toList();
        return known.orNames(base, norms);
    }

    private static Tensor parameter(Grafter g, Site site, String name, Tensor start) {
        return g.parameter(site, "ln_tuning_layers." + name, Initializer.copy(start), start.size(0));
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.remove(List.of("layers_to_transform", "layers_pattern"));
    }

    /** Registers {@code ln-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "ln-tuning";
        }

        @Override
        public String summary() {
            return "trains the base's normalisations";
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
            return "LN_TUNING";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public Method read(Fields config, Base base) {
            return new LnTuning(TargetModules.read(config));
        }
    }
}
