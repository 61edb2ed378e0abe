package dev.graft.peft.methods.scaling;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.internal.PythonRegex;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * (IA)³ (Liu et al., 2022): learned scales, {@code y = l ⊙ (W x + b)} with {@code l [out]} on keys and values, and {@code y = W (l ⊙ x) + b} with
 * {@code l [in]} on feed-forward modules. Scales start at one, so a new adapter changes nothing.
 *
 * <p>Trained: out for a module, in for a feed-forward module; the fewest of all methods that merge. Files: {@code <module>.ia3_l},
 * {@code [out, 1]} or {@code [1, in]}; on a convolution {@code [1, out, 1...]} or {@code [1, in, 1...]}. Merges: rows, or columns, of W (and b)
 * scaled. Use it for many small tasks that are close to the base's abilities; it can't add a direction that W lacks. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Ia3.DEFAULT, 42);
 * }</pre>
 *
 * @param targets the modules; by default keys, values and the last linear layer of the feed-forward block
 * @param feedForward the targets whose input is scaled; null for the default of the architecture
 * @param startAtOne whether scales start at one; else they are normal around 0, as with PEFT's {@code init_ia3_weights: false}
 */
@RecordBuilder
public record Ia3(TargetModules targets, @Nullable FeedForward feedForward, boolean startAtOne)
        implements Method, Ia3Builder.With {
    /** Keys, values and the feed-forward block of every layer. */
    public static final Ia3 DEFAULT = new Ia3(TargetModules.DEFAULT, null, true);

    /**
     * The modules whose input is scaled.
     *
     * @param names ends of module names
     * @param regex a Python regular expression for the whole name, instead of names
     */
    public record FeedForward(List<String> names, @Nullable String regex) {
        public FeedForward {
            names = List.copyOf(names);
        }

        boolean contains(String module) {
            return regex == null
                    ? names.stream().anyMatch(module::endsWith)
                    : PythonRegex.fullMatch("feedforward_modules", regex, module);
        }
    }

    public Ia3 {
        if (feedForward != null && feedForward.regex == null && targets.regex() == null && !targets.isDefault()) {
            for (String name : feedForward.names) {
                if (!targets.names().contains(name)) {
                    throw new InputException("feedforward_modules has \"" + name + "\", which target_modules "
                            + targets.names() + " lacks");
                }
            }
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        FeedForward inputs = feedForward == null ? defaultFeedForward(g.base()) : feedForward;
        Initializer initializer = startAtOne ? Initializer.ONES : Initializer.normal(1);
        for (Site site : g.targets(targets.isDefault() ? defaultTargets(g.base()) : targets)) {
            if (!(site instanceof Projection layer)) {
                throw new InputException("target_modules: " + site.name()
                        + " is an embedding; (IA)³ scales linear layers and convolutions only");
            }
            boolean onInput = inputs.contains(site.name());
            long size = onInput ? layer.in() : layer.out();
            long[] shape = layer instanceof Convolution convolution
                    ? convolution.shape(1, size)
                    : onInput ? new long[] {1, size} : new long[] {size, 1};
            Tensor l = g.parameter(site, "ia3_l", initializer, shape);
            g.add(site, onInput ? new Effect.Scale(l, null) : new Effect.Scale(null, l));
        }
    }

    /**
     * Returns PEFT's targets for the architectures that it knows ({@code utils/constants.py}), else the paper's, by
     * roles.
     */
    private TargetModules defaultTargets(Base base) {
        List<String> known = DefaultTargets.names(
                DefaultTargets.Table.IA3, base.architecture().modelType());
        List<String> names = known != null ? known : named(base, Role.KEY, Role.VALUE, Role.QUERY_KEY_VALUE, Role.DOWN);
        return targets.withNames(names);
    }

    private static FeedForward defaultFeedForward(Base base) {
        List<String> known = DefaultTargets.names(
                DefaultTargets.Table.IA3_FEED_FORWARD, base.architecture().modelType());
        return new FeedForward(known != null ? known : named(base, Role.DOWN), null);
    }

    private static List<String> named(Base base, Role... roles) {
        TreeSet<String> names = new TreeSet<>();
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && List.of(roles).contains(linear.role())) {
                names.add(site.name());
            }
        }
        return List.copyOf(names);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        if (targets.layers() == null) {
            // PEFT's IA3 has no such fields; scales that it doesn't find stay at one, so the result is the same.
            json.remove(List.of("layers_to_transform", "layers_pattern"));
        }
        if (feedForward == null) {
            json.putNull("feedforward_modules");
        } else if (feedForward.regex != null) {
            json.put("feedforward_modules", feedForward.regex);
        } else {
            new TreeSet<>(feedForward.names).forEach(json.putArray("feedforward_modules")::add);
        }
        json.put("init_ia3_weights", startAtOne);
        json.put("fan_in_fan_out", false);
    }

    /** Registers {@code ia3}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "ia3";
        }

        @Override
        public String summary() {
            return "scales keys, values and feed-forward inputs by learned vectors";
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
            return "IA3";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public Method read(Fields config, Base base) {
            // How a GPT-2 layer stores its weight; the scales are the same.
            config.bool("fan_in_fan_out", false);
            return new Ia3(TargetModules.read(config), feedForward(config), config.bool("init_ia3_weights", true));
        }

        private static @Nullable FeedForward feedForward(Fields config) {
            JsonNode value = config.node("feedforward_modules");
            if (value == null || value.isNull()) {
                return null;
            }
            return value.isString()
                    ? new FeedForward(List.of(), value.stringValue())
                    : new FeedForward(config.strings("feedforward_modules"), null);
        }
    }
}
