package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Parameter.Place;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Where a method declares its parameters and effects. The same declaration creates a new adapter and loads a saved one: only where the
 * values come from differs.
 */
public final class Grafter {
    /** Where values come from. */
    interface Values {
        /** The value of a new parameter, in the wanted type; not yet a leaf. */
        Tensor get(String key, Initial initial, ScalarType type, long... shape);

        /** The value of a tensor that the tool's file lacks because it can be made again. */
        default Tensor derived(String key, Initial initial, ScalarType type, long... shape) {
            return fresh(0).get(key, initial, type, shape);
        }

        /** Whether they come from a file. */
        default boolean areStored() {
            return false;
        }

        /** Whether they only act: what has them is neither trained nor made into anything else. */
        default boolean areServed() {
            return false;
        }

        /** Whether they are another adapter's own tensors, whose gradients are that one's concern. */
        default boolean areShared() {
            return false;
        }

        /** The shape that a file has under a key; null where there is none. */
        default long @Nullable [] storedShape(String key) {
            return null;
        }
    }

    private final Base base;
    private final List<String> modulesToSave;
    private final Values values;
    private final @Nullable Statistics statistics;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Map<Site, List<Effect>> effects = new IdentityHashMap<>();
    private final List<Site> targeted = new ArrayList<>();
    private final Map<String, Supplier<Tensor>> exports = new LinkedHashMap<>();
    private final int task;
    private final @Nullable Part part;
    private int tasks = 1;
    private final Map<String, Tensor> aliases = new LinkedHashMap<>();
    private final List<Preview> previews = new ArrayList<>();
    private final List<Derived> derived = new ArrayList<>();
    private @Nullable Tensor firstLayer;

    /**
     * What makes a grafter declare a part of another one.
     *
     * @param name the name of one of the part's tensors in the whole
     * @param trains whether what the part trains is trained in the whole
     * @param inFile whether the whole's file has the part's tensors
     */
    private record Part(
            Grafter whole, UnaryOperator<String> name, Map<String, Tensor> known, boolean trains, boolean inFile) {}

    Grafter(Base base, List<String> modulesToSave, Values values, int task, @Nullable Statistics statistics) {
        this(base, modulesToSave, values, task, statistics, null);
    }

    private Grafter(
            Base base,
            List<String> modulesToSave,
            Values values,
            int task,
            @Nullable Statistics statistics,
            @Nullable Part part) {
        this.task = task;
        this.part = part;
        this.statistics = statistics;
        this.base = base;
        this.modulesToSave = modulesToSave;
        this.values = values;
    }

    /** New values from a seed: each depends on the seed and the parameter's name alone. */
    static Values fresh(long seed) {
        return (key, initial, type, shape) -> {
            try (Scope scope = new Scope()) {
                Tensor made = initial.make(Rng.of(seed, key), shape);
                if (!Arrays.equals(Tensors.shape(made), shape)) {
                    throw new IllegalStateException(key + ": the initialisation gives "
                            + Arrays.toString(Tensors.shape(made)) + ", declared is "
                            + Arrays.toString(shape));
                }
                return scope.release(Ops.to(made, type).contiguous());
            }
        };
    }

    public Base base() {
        return base;
    }

    /** The sites that the targets choose, in the order of the base; modules saved whole are left out. */
    public List<Site> targets(Targets targets) {
        List<Site> chosen = targets.match(base, modulesToSave);
        targeted.addAll(chosen);
        return chosen;
    }

    /** Refuses a method that left out a module it was told to act on. */
    void requireEffects(String method) {
        for (Site site : targeted) {
            if (!effects.containsKey(site)) {
                String kind = site.getClass().getSimpleName().toLowerCase(Locale.ROOT);
                throw new InputException(
                        "target_modules: " + method + " can't act on the " + kind + " layer " + site.name());
            }
        }
    }

    /** The sites of a kind that the targets choose. */
    public List<Site> targets(Targets targets, Predicate<Site> kind) {
        return targets.match(base, modulesToSave, kind);
    }

    /**
     * The linear layers that the targets choose.
     *
     * @param method what to call the method in a message
     * @throws dev.graft.formats.InputException if they choose something else too
     */
    public List<Linear> linears(Targets targets, String method) {
        List<Linear> linears = new ArrayList<>();
        for (Site site : targets(targets)) {
            if (!(site instanceof Linear linear)) {
                throw new InputException("target_modules: " + site.name() + " is not a linear layer; " + method
                        + " acts on linear layers only");
            }
            linears.add(linear);
        }
        return linears;
    }

    /** What calibration data shows of the base; null where none was given, or none is needed because the adapter is loaded. */
    public @Nullable Statistics statistics() {
        return statistics;
    }

    /**
     * The linear layers and the convolutions that the targets choose.
     *
     * @param method what to call the method in a message
     * @throws dev.graft.formats.InputException if they choose something else too
     */
    public List<Projection> projections(Targets targets, String method) {
        List<Projection> layers = new ArrayList<>();
        for (Site site : targets(targets)) {
            if (!(site instanceof Projection layer)) {
                throw new InputException("target_modules: " + site.name()
                        + " is not a linear layer or a convolution; " + method
                        + " acts on linear layers and on convolutions only");
            }
            layers.add(layer);
        }
        return layers;
    }

    /** The same for a method that can't act on convolutions in groups. */
    public List<Projection> ungrouped(Targets targets, String method) {
        List<Projection> layers = projections(targets, method);
        layers.forEach(layer -> refuseGroups(layer, method));
        return layers;
    }

    /** Refuses a convolution in groups. */
    public static void refuseGroups(Projection layer, String method) {
        if (layer instanceof Convolution convolution && convolution.window().groups() > 1) {
            throw new InputException("target_modules: " + layer.name() + " is a convolution in groups; " + method
                    + " acts on linear layers and on convolutions that aren't in groups");
        }
    }

    /** Whether the site belongs to a module that is trained and saved whole. */
    public boolean isSavedWhole(Site site) {
        return SavedModules.contains(modulesToSave, site.name());
    }

    /** A trained parameter of a site, named by a suffix such as {@code lora_A.weight}. */
    public Tensor parameter(Site site, String suffix, Initial initial, long... shape) {
        return parameter(site.name() + "." + suffix, initial, shape);
    }

    /** The same in another {@linkplain #type type} than others. */
    public Tensor parameter(Site site, String suffix, ScalarType type, Initial initial, long... shape) {
        return declare(site.name() + "." + suffix, true, Place.FILE, true, type, initial, shape);
    }

    /** A trained parameter with a name of its own. */
    public Tensor parameter(String key, Initial initial, long... shape) {
        return declare(key, true, Place.FILE, true, type(), initial, shape);
    }

    /** A parameter that counts as trained, though the settings leave nothing that it could learn from: no gradient is formed for it. */
    public Tensor idle(String key, Initial initial, long... shape) {
        return parameter(key, initial, shape).set_requires_grad(false);
    }

    /**
     * A trained parameter that files don't hold: they hold what an {@link #export} makes of it. Where the adapter comes from a file, its
     * start must be made of what is {@link #stored}.
     */
    public Tensor inner(String key, Initial initial, long... shape) {
        return declare(key, true, Place.NOWHERE, true, type(), initial, shape);
    }

    /** A tensor of an {@link #inner} parameter's kind that isn't trained. */
    public Tensor innerFrozen(String key, Initial initial, long... shape) {
        return declare(key, false, Place.NOWHERE, true, type(), initial, shape);
    }

    /** What files hold under a key, made of trained parameters when the adapter is saved; in place of the parameter of that key, if any. */
    public void export(String key, Supplier<Tensor> made) {
        exports.put(key, made);
    }

    /** What the file that an adapter comes from holds, for the start of an {@link #inner} parameter. */
    public Tensor stored(String key, long... shape) {
        return values.get(key, Initial.ZEROS, base.numerics().small(), shape);
    }

    /**
     * Which of several tasks the effects are for, 0 by default.
     *
     * @param count how many tasks the adapter knows
     */
    public int task(int count) {
        tasks = count;
        return Math.max(task, 0);
    }

    /** A second key in files of a saved tensor; files may lack it. */
    public void alias(String key, Tensor tensor) {
        aliases.put(key, tensor);
    }

    /** Whether the values come from a file, so that only what files hold is there. */
    public boolean loads() {
        return values.areStored();
    }

    /** Whether the adapter only acts: it is neither trained nor made into anything else. */
    public boolean serves() {
        return values.areServed();
    }

    /** A saved tensor of a site that isn't trained. */
    public Tensor frozen(Site site, String suffix, Initial initial, long... shape) {
        return frozen(site.name() + "." + suffix, initial, shape);
    }

    /** A saved tensor with a name of its own that isn't trained. */
    public Tensor frozen(String key, Initial initial, long... shape) {
        return declare(key, false, Place.FILE, true, type(), initial, shape);
    }

    /**
     * A tensor that isn't trained and that PEFT doesn't count as a parameter.
     *
     * @param saved whether files hold it; if not, its start is the same for every adapter, and is made again when one is loaded
     */
    public Tensor buffer(String key, boolean saved, Initial initial, long... shape) {
        return declare(key, false, saved ? Place.FILE : Place.NOWHERE, false, type(), initial, shape);
    }

    /**
     * Whole numbers, int32, that say what is trained.
     *
     * @param place {@link Place#BESIDE} where the tool makes them again from a seed or from the base: others may not be able to
     */
    public Tensor indices(Site site, String suffix, Place place, Initial initial, long... shape) {
        return indices(site.name() + "." + suffix, place, initial, shape);
    }

    /** The same with a name of their own. */
    public Tensor indices(String key, Place place, Initial initial, long... shape) {
        return declare(key, false, place, false, ScalarType.Int, initial, shape);
    }

    /** The shape that the file has of a site's tensor, for methods whose configuration doesn't say; null for a new adapter. */
    public long @Nullable [] storedShape(Site site, String suffix) {
        return values.storedShape(site.name() + "." + suffix);
    }

    /**
     * Where another method declares a part of this one that stays frozen. Its tensors get a name of their own in place of {@code *}; its
     * {@link #effects} are the caller's to place.
     *
     * @param known values by the keys that the part declares; those that are missing start as in a new adapter
     */
    public Grafter frozenPart(String name, Map<String, Tensor> known) {
        return part(new Part(this, key -> key.replace("*", name), known, false, true));
    }

    /**
     * Where an adapter that this one holds is declared: its tensors have a name before their own, and are saved in a folder of that name,
     * which {@link Method#held} makes. Its {@link #effects} are the caller's to place.
     *
     * @param known values by the keys that the held adapter declares; those that are missing start as in a new one
     */
    public Grafter held(String name, Map<String, Tensor> known, boolean trains) {
        return part(new Part(this, key -> name + "/" + key, known, trains, false));
    }

    private Grafter part(Part of) {
        return new Grafter(base, modulesToSave, values, task, statistics, of);
    }

    /** What is made of parameters before an effect acts; once for a frozen adapter. */
    public Derived derived(Supplier<Tensor> formula) {
        if (part != null) {
            return part.whole.derived(formula);
        }
        Derived one = new Derived(formula);
        derived.add(one);
        return one;
    }

    List<Derived> derived() {
        return derived;
    }

    /** Has a model read each batch first, and something worked out of what it makes of it. */
    public void preview(Preview preview) {
        previews.add(preview);
    }

    List<Preview> previews() {
        return previews;
    }

    /** Adds an effect at a site; a site's effects act in the order in which they are added. */
    public void add(Site site, Effect effect) {
        effects.computeIfAbsent(site, s -> new ArrayList<>()).add(effect);
    }

    /** The type of parameters. */
    public ScalarType type() {
        return base.numerics().small();
    }

    private Tensor declare(
            String key,
            boolean trainable,
            Place place,
            boolean counted,
            ScalarType type,
            Initial initial,
            long... shape) {
        if (part != null) {
            Tensor known = part.known.get(key);
            return part.whole.declare(
                    part.name.apply(key),
                    trainable && part.trains,
                    part.inFile ? place : Place.NOWHERE,
                    counted,
                    type,
                    known == null ? initial : Initial.copy(known),
                    shape);
        }
        Parameter known = parameters.get(key);
        if (known != null) {
            throw new InputException(
                    key + " would be there twice: two methods of a union can't have tensors of the same name");
        }
        // What the tool's files don't hold is made again of what they do hold.
        boolean made = place != Place.FILE && (!counted || values.areStored());
        Tensor value = made ? values.derived(key, initial, type, shape) : values.get(key, initial, type, shape);
        if (!values.areShared()) {
            value.set_requires_grad(trainable);
        }
        parameters.put(key, new Parameter(key, value, trainable, place, counted));
        return value;
    }

    Map<String, Parameter> parameters() {
        return parameters;
    }

    /**
     * The adapter doesn't act in layers below a number that may change while it is trained.
     *
     * @param layer {@code [1]}
     */
    public void actFrom(Tensor layer) {
        firstLayer = layer;
    }

    @Nullable
    Tensor firstLayer() {
        return firstLayer;
    }

    /** What was added, by site. */
    public Map<Site, List<Effect>> effects() {
        return effects;
    }

    int tasks() {
        return tasks;
    }

    Map<String, Supplier<Tensor>> exports() {
        return exports;
    }

    Map<String, Tensor> aliases() {
        return aliases;
    }
}
