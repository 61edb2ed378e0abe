package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Parameter.Storage;
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
 * The interface through which a method declares its parameters and effects. The same declaration creates a new adapter and loads a saved one;
 * only the source of the values differs.
 */
public final class Grafter {
    /** The source of values. */
    interface Values {
        /** Returns the value of a new parameter, in the given type; not yet a leaf. */
        Tensor get(String key, Initializer initializer, ScalarType type, long... shape);

        /** Computes the value of a tensor that the tool's file omits because it can be recomputed. */
        default Tensor regenerated(String key, Initializer initializer, ScalarType type, long... shape) {
            return fresh(0).get(key, initializer, type, shape);
        }

        /** Returns whether they come from a file. */
        default boolean areStored() {
            return false;
        }

        /** Returns whether they are only for serving: their adapter is neither trained nor converted. */
        default boolean areServed() {
            return false;
        }

        /** Returns whether they are another adapter's own tensors, which handles their gradients. */
        default boolean areShared() {
            return false;
        }

        /** Returns the shape stored under a key in the file; null if there is none. */
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
    private final List<LookAhead> lookAheads = new ArrayList<>();
    private final List<CachedValue> cached = new ArrayList<>();
    private @Nullable Tensor firstLayer;

    /**
     * The declaration of a part of another grafter's method.
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

    /** Returns new values from a seed: each depends only on the seed and the parameter's name. */
    static Values fresh(long seed) {
        return (key, initializer, type, shape) -> {
            try (Scope scope = new Scope()) {
                Tensor made = initializer.create(Rng.of(seed, key), shape);
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

    /** Returns the targeted sites, in the order of the base, without modules that are saved whole. */
    public List<Site> targets(TargetModules targets) {
        List<Site> chosen = targets.match(base, modulesToSave);
        targeted.addAll(chosen);
        return chosen;
    }

    /** Refuses a method without effect on a module that it targets. */
    void requireEffects(String method) {
        for (Site site : targeted) {
            if (!effects.containsKey(site)) {
                String kind = site.getClass().getSimpleName().toLowerCase(Locale.ROOT);
                throw new InputException(
                        "target_modules: " + method + " can't act on the " + kind + " layer " + site.name());
            }
        }
    }

    /** Returns the targeted sites of a kind. */
    public List<Site> targets(TargetModules targets, Predicate<Site> kind) {
        return targets.match(base, modulesToSave, kind);
    }

    /**
     * Returns the targeted linear layers.
     *
     * @param method the name of the method in messages
     * @throws dev.graft.formats.InputException if other sites are targeted too
     */
    public List<Linear> linears(TargetModules targets, String method) {
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

    /**
     * Returns statistics of the base from calibration data. Null without these data, or if a loaded adapter doesn't need them.
     */
    public @Nullable Statistics statistics() {
        return statistics;
    }

    /**
     * Returns the targeted linear layers and convolutions.
     *
     * @param method the name of the method in messages
     * @throws dev.graft.formats.InputException if other sites are targeted too
     */
    public List<Projection> projections(TargetModules targets, String method) {
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

    /** Returns the targeted layers for a method that doesn't support grouped convolutions. */
    public List<Projection> ungrouped(TargetModules targets, String method) {
        List<Projection> layers = projections(targets, method);
        layers.forEach(layer -> refuseGroups(layer, method));
        return layers;
    }

    /** Refuses a grouped convolution. */
    public static void refuseGroups(Projection layer, String method) {
        if (layer instanceof Convolution convolution && convolution.geometry().groups() > 1) {
            throw new InputException("target_modules: " + layer.name() + " is a convolution in groups; " + method
                    + " acts on linear layers and on convolutions that aren't in groups");
        }
    }

    /** Returns whether the site belongs to a module that is trained and saved whole. */
    public boolean isSavedWhole(Site site) {
        return SavedModules.contains(modulesToSave, site.name());
    }

    /** Declares a trained parameter of a site, named by a suffix such as {@code lora_A.weight}. */
    public Tensor parameter(Site site, String suffix, Initializer initializer, long... shape) {
        return parameter(site.name() + "." + suffix, initializer, shape);
    }

    /** Declares a trained parameter of a site in another {@linkplain #type type} than the rest. */
    public Tensor parameter(Site site, String suffix, ScalarType type, Initializer initializer, long... shape) {
        return declare(site.name() + "." + suffix, true, Storage.FILE, true, type, initializer, shape);
    }

    /** Declares a trained parameter with its own name. */
    public Tensor parameter(String key, Initializer initializer, long... shape) {
        return declare(key, true, Storage.FILE, true, type(), initializer, shape);
    }

    /**
     * Declares a parameter that counts as trained but that no output depends on with the present settings; it has no gradient.
     */
    public Tensor unusedParameter(String key, Initializer initializer, long... shape) {
        return parameter(key, initializer, shape).set_requires_grad(false);
    }

    /**
     * Declares a trained parameter that files lack: they contain the result of an {@link #export} in its place. Where
     * the adapter comes from a file, its start must be computed from {@link #stored} values.
     */
    public Tensor unsavedParameter(String key, Initializer initializer, long... shape) {
        return declare(key, true, Storage.CHECKPOINT_ONLY, true, type(), initializer, shape);
    }

    /** Declares a tensor like an {@link #unsavedParameter} that isn't trained. */
    public Tensor unsavedFrozen(String key, Initializer initializer, long... shape) {
        return declare(key, false, Storage.CHECKPOINT_ONLY, true, type(), initializer, shape);
    }

    /**
     * Declares a saved value that is computed from trained parameters when the adapter is saved. It replaces the parameter of that key, if any.
     */
    public void export(String key, Supplier<Tensor> made) {
        exports.put(key, made);
    }

    /** Returns a tensor from the adapter's file, for the initialisation of an {@link #unsavedParameter}. */
    public Tensor stored(String key, long... shape) {
        return values.get(key, Initializer.ZEROS, base.numerics().small(), shape);
    }

    /**
     * Returns the task of the effects, 0 by default.
     *
     * @param count the adapter's number of tasks
     */
    public int task(int count) {
        tasks = count;
        return Math.max(task, 0);
    }

    /** Declares a second key of a saved tensor; files may lack it. */
    public void alias(String key, Tensor tensor) {
        aliases.put(key, tensor);
    }

    /** Returns whether the values come from a file, so that only saved tensors are available. */
    public boolean isLoading() {
        return values.areStored();
    }

    /** Returns whether the adapter is only served: it is neither trained nor converted. */
    public boolean isServing() {
        return values.areServed();
    }

    /** Declares a saved tensor of a site that isn't trained. */
    public Tensor frozen(Site site, String suffix, Initializer initializer, long... shape) {
        return frozen(site.name() + "." + suffix, initializer, shape);
    }

    /** Declares a saved tensor with its own name that isn't trained. */
    public Tensor frozen(String key, Initializer initializer, long... shape) {
        return declare(key, false, Storage.FILE, true, type(), initializer, shape);
    }

    /**
     * Declares a tensor that isn't trained and that PEFT doesn't count as a parameter.
     *
     * @param saved whether files contain it; if not, every adapter starts with the same values, and loading recomputes them
     */
    public Tensor buffer(String key, boolean saved, Initializer initializer, long... shape) {
        return declare(key, false, saved ? Storage.FILE : Storage.CHECKPOINT_ONLY, false, type(), initializer, shape);
    }

    /**
     * Declares indices of trained values, int32.
     *
     * @param storage {@link Storage#GRAFT_FILE} if the tool recomputes them from a seed or from the base, which others may not be able to do
     */
    public Tensor indices(Site site, String suffix, Storage storage, Initializer initializer, long... shape) {
        return indices(site.name() + "." + suffix, storage, initializer, shape);
    }

    /** Declares indices of trained values, int32, with their own name. */
    public Tensor indices(String key, Storage storage, Initializer initializer, long... shape) {
        return declare(key, false, storage, false, ScalarType.Int, initializer, shape);
    }

    /**
     * Returns the shape of a site's tensor in the file, for methods whose configuration lacks it; null for a new adapter.
     */
    public long @Nullable [] storedShape(Site site, String suffix) {
        return values.storedShape(site.name() + "." + suffix);
    }

    /**
     * Returns a grafter in which another method declares a part of this one that stays frozen. The part's name replaces {@code *} in its tensors'
     * names. The caller adds its {@link #effects}.
     *
     * @param known values by the keys that the part declares; missing ones are initialised as in a new adapter
     */
    public Grafter frozenPart(String name, Map<String, Tensor> known) {
        return part(new Part(this, key -> key.replace("*", name), known, false, true));
    }

    /**
     * Returns a grafter for the declaration of an adapter that this one contains. Its tensors have a prefix, and {@link Method#nestedMethods}
     * saves them in a folder of that name. The caller adds its {@link #effects}.
     *
     * @param known values by the keys that the contained adapter declares; missing ones are initialised as in a new one
     */
    public Grafter nested(String name, Map<String, Tensor> known, boolean trains) {
        return part(new Part(this, key -> name + "/" + key, known, trains, false));
    }

    private Grafter part(Part of) {
        return new Grafter(base, modulesToSave, values, task, statistics, of);
    }

    /** Returns a value that is computed from parameters before an effect runs, only once for a frozen adapter. */
    public CachedValue cached(Supplier<Tensor> formula) {
        if (part != null) {
            return part.whole.cached(formula);
        }
        CachedValue one = new CachedValue(formula);
        cached.add(one);
        return one;
    }

    List<CachedValue> cached() {
        return cached;
    }

    /** Adds a look-ahead: a model reads each batch first, and the result determines a value. */
    public void lookAhead(LookAhead lookAhead) {
        lookAheads.add(lookAhead);
    }

    List<LookAhead> lookAheads() {
        return lookAheads;
    }

    /** Adds an effect at a site. A site's effects run in the order in which they are added. */
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
            Storage storage,
            boolean counted,
            ScalarType type,
            Initializer initializer,
            long... shape) {
        if (part != null) {
            Tensor known = part.known.get(key);
            return part.whole.declare(
                    part.name.apply(key),
                    trainable && part.trains,
                    part.inFile ? storage : Storage.CHECKPOINT_ONLY,
                    counted,
                    type,
                    known == null ? initializer : Initializer.copy(known),
                    shape);
        }
        Parameter known = parameters.get(key);
        if (known != null) {
            throw new InputException(
                    key + " would be there twice: two methods of a union can't have tensors of the same name");
        }
        // What the tool's files don't hold is made again of what they do hold.
        boolean made = storage != Storage.FILE && (!counted || values.areStored());
        Tensor value =
                made ? values.regenerated(key, initializer, type, shape) : values.get(key, initializer, type, shape);
        if (!values.areShared()) {
            value.set_requires_grad(trainable);
        }
        parameters.put(key, new Parameter(key, value, trainable, storage, counted));
        return value;
    }

    Map<String, Parameter> parameters() {
        return parameters;
    }

    /**
     * Disables the adapter in the layers below a number, which may change in training.
     *
     * @param layer {@code [1]}
     */
    public void setFirstLayer(Tensor layer) {
        firstLayer = layer;
    }

    @Nullable
    Tensor firstLayer() {
        return firstLayer;
    }

    /** Returns the added effects, by site. */
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
