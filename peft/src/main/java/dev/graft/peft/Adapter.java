package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a method on one base, and what they do at its sites. The base doesn't know of it: it acts where a
 * {@link Selection} says so.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 42);
 * adapter.save(Path.of("out/adapter"));
 * Adapter again = Adapter.load(base, Path.of("out/adapter"));
 * }</pre>
 */
public final class Adapter implements AutoCloseable {
    private final Base base;
    private final AdapterConfig config;
    private final boolean stored;
    private final Map<String, Parameter> parameters;
    private final Map<Site, List<Effect>> effects;
    private final Map<String, Supplier<Tensor>> exports;
    private final Map<Attention.Kind, Long> prefixLengths;
    private final Map<Attention.Kind, Long> prefixShifts;
    private final @Nullable Tensor firstLayer;
    private final int tasks;
    private final int task;
    private final Map<String, Tensor> aliases;
    private final List<Preview> previews;
    private final List<Derived> derived;
    private boolean frozen;
    private Answers answers = Answers.UNKNOWN;

    Adapter(Base base, AdapterConfig config, Grafter.Values values) {
        this(base, config, values, -1, null);
    }

    private Adapter(Base base, AdapterConfig config, Grafter.Values values, int task, @Nullable Statistics statistics) {
        this.stored = values.areStored();
        this.base = base;
        this.config = config;
        Grafter grafter = new Grafter(base, config.modulesToSave(), values, task, statistics);
        config.method().graft(grafter);
        if (grafter.effects().isEmpty()) {
            throw new InputException(
                    base.name() + " has nothing that " + config.method().type().name() + " acts on");
        }
        grafter.requireEffects(config.method().type().name());
        SavedModules.graft(grafter);
        this.parameters = Collections.unmodifiableMap(grafter.parameters());
        this.exports = grafter.exports();
        this.firstLayer = grafter.firstLayer();
        this.task = task;
        this.tasks = grafter.tasks();
        this.aliases = grafter.aliases();
        this.previews = List.copyOf(grafter.previews());
        this.derived = List.copyOf(grafter.derived());
        this.effects = new IdentityHashMap<>();
        grafter.effects().forEach((site, list) -> {
            // Other values for the base's own parameters come first: what is trained beside them acts on those.
            List<Effect> ordered = new ArrayList<>(list);
            ordered.sort((a, b) -> Boolean.compare(b instanceof Effect.Replace, a instanceof Effect.Replace));
            effects.put(site, List.copyOf(ordered));
        });
        this.prefixLengths = longest(false);
        this.prefixShifts = longest(true);
    }

    /** A new adapter. With a task head the head is trained and saved with it, as PEFT does for classification. */
    public static Adapter create(Base base, Method method, long seed) {
        return create(base, AdapterConfig.of(base, method), seed);
    }

    /** A new adapter; each of its values depends on the seed and the parameter's name alone. */
    public static Adapter create(Base base, AdapterConfig config, long seed) {
        return new Adapter(config.method().on(base), config, Grafter.fresh(seed));
    }

    /** A new adapter of a method that looks at data first; see {@link Calibration}. */
    public static Adapter create(Base base, AdapterConfig config, Calibration calibration, long seed) {
        try (Statistics statistics = new Statistics(calibration)) {
            Base own = config.method().on(base);
            Method fitted = config.method().fitted(own, config.modulesToSave(), statistics);
            return new Adapter(own, config.withMethod(fitted), Grafter.fresh(seed), -1, statistics);
        }
    }

    /**
     * Loads a folder that PEFT, AdapterHub or Graft wrote. Every tensor must be there, of the right shape and finite, and none besides.
     *
     * @throws dev.graft.formats.InputException if the folder isn't an adapter for this base; the message says what is wrong where
     */
    public static Adapter load(Base base, Path folder) {
        return AdapterFolder.load(base, folder, false);
    }

    /**
     * Loads such a folder for what only acts, {@linkplain #freeze frozen}: on a base in bf16 plain LoRA is held in bf16, which leaves each of its
     * answers the same to the last bit. So it isn't to be merged, combined or saved.
     *
     * @throws dev.graft.formats.InputException likewise
     */
    public static Adapter loadServed(Base base, Path folder) {
        return AdapterFolder.load(base, folder, true).freeze();
    }

    /** An adapter with the same values in the same memory, but gradients of its own: for a thread that trains on other rows. */
    public Adapter twin() {
        return again(task, value -> {
            try (Scope scope = new Scope()) {
                return scope.release(value.detach().set_requires_grad(value.requires_grad()));
            }
        });
    }

    /**
     * This adapter, with the same parameters, as it acts for one of its tasks.
     *
     * @throws dev.graft.formats.InputException if it has no such task
     */
    public Adapter task(int number) {
        if (number < 0 || number >= tasks) {
            throw new InputException("task " + number + " is asked for, but the adapter has "
                    + (tasks == 1 ? "one task, 0" : "the tasks 0 to " + (tasks - 1)));
        }
        return again(number, value -> value);
    }

    /** The part of this adapter that one of its method's methods declares, with the same parameters; without what is saved whole. */
    public Adapter part(Method method) {
        return again(config.withMethod(method).withModulesToSave(List.of()), task, "", value -> value);
    }

    /** The adapter of that method that this one holds under a name, with the same parameters. */
    public Adapter held(String name, Method method) {
        return again(config.withMethod(method).withModulesToSave(List.of()), task, name + "/", value -> value);
    }

    private Adapter again(int forTask, UnaryOperator<Tensor> share) {
        return again(config, forTask, "", share);
    }

    private Adapter again(AdapterConfig as, int forTask, String before, UnaryOperator<Tensor> share) {
        Grafter.Values shared = new Grafter.Values() {
            @Override
            public Tensor get(String key, Initial initial, ScalarType type, long... shape) {
                return share.apply(value(before + key));
            }

            @Override
            public Tensor derived(String key, Initial initial, ScalarType type, long... shape) {
                return get(key, initial, type, shape);
            }

            @Override
            public boolean areStored() {
                return stored;
            }

            @Override
            public boolean areShared() {
                return true;
            }

            @Override
            public long @Nullable [] storedShape(String key) {
                Parameter parameter = parameters.get(before + key);
                return parameter == null ? null : Tensors.shape(parameter.value());
            }
        };
        Adapter same = new Adapter(base, as, shared, forTask, null);
        return (frozen ? same.freeze() : same).answering(answers);
    }

    Adapter answering(Answers itsAnswers) {
        answers = itsAnswers;
        return this;
    }

    /** What the folder that it was loaded from says of the answers that it gives. */
    public Answers answers() {
        return answers;
    }

    /**
     * Says that its parameters change no more, so that it can't be trained from now on: what its method makes of them before it acts, such as
     * DoRA's norms or OFT's rotations, is made now and not in every pass.
     */
    public Adapter freeze() {
        parameters.values().forEach(parameter -> parameter.value().set_requires_grad(false));
        derived.forEach(Derived::keep);
        frozen = true;
        return this;
    }

    /** The memory that its tensors take, with what is {@linkplain #freeze made of them}, in bytes. */
    public long bytes() {
        return parameters.values().stream()
                        .mapToLong(parameter -> parameter.value().nbytes())
                        .sum()
                + derived.stream().mapToLong(Derived::bytes).sum();
    }

    /** Whether its first values were read from files, rather than drawn. */
    public boolean isStored() {
        return stored;
    }

    /** How many tasks it knows; with more than one a {@link Selection} takes the adapter of one {@link #task}. */
    public int tasks() {
        return tasks;
    }

    /** Whether it is for several tasks and none is chosen. */
    public boolean lacksTask() {
        return tasks > 1 && task < 0;
    }

    /** Writes the folder, whole or not at all. */
    public void save(Path folder) {
        save(folder, path -> {});
    }

    /**
     * Writes the folder, whole or not at all.
     *
     * @param more writes further files into it before it appears
     */
    public void save(Path folder, Consumer<Path> more) {
        AdapterFolder.save(this, folder, more);
    }

    public Base base() {
        return base;
    }

    public AdapterConfig config() {
        return config;
    }

    public Method method() {
        return config.method();
    }

    /** All tensors in memory, trained or not, by name: what a checkpoint of a training must hold. */
    public Map<String, Parameter> parameters() {
        return parameters;
    }

    /** One of its tensors. */
    public Tensor value(String key) {
        Parameter parameter = parameters.get(key);
        if (parameter == null) {
            throw new IllegalArgumentException("no parameter " + key);
        }
        return parameter.value();
    }

    /** The trained tensors by name. */
    public Map<String, Tensor> trainable() {
        Map<String, Tensor> trained = new LinkedHashMap<>();
        parameters.forEach((key, parameter) -> {
            if (parameter.trainable()) {
                trained.put(key, parameter.value());
            }
        });
        return trained;
    }

    /** What files hold, by name. */
    Map<String, Tensor> saved() {
        Map<String, Tensor> saved = new LinkedHashMap<>();
        parameters.forEach((key, parameter) -> {
            if (parameter.saved()) {
                saved.put(key, parameter.value());
            }
        });
        try (NoGrad off = new NoGrad()) {
            exports.forEach((key, made) -> saved.put(key, made.get()));
        }
        return saved;
    }

    /** What is written beside the tool's file, by name. */
    Map<String, Tensor> beside() {
        Map<String, Tensor> beside = new LinkedHashMap<>();
        parameters.forEach((key, parameter) -> {
            if (parameter.place() == Parameter.Place.BESIDE) {
                beside.put(key, parameter.value());
            }
        });
        return beside;
    }

    /** Saved tensors that files hold again, by their second keys. */
    Map<String, Tensor> aliases() {
        return aliases;
    }

    /** How many numbers are trained. */
    public long trainableCount() {
        return trainable().values().stream().mapToLong(Tensor::numel).sum();
    }

    /** How many numbers base and adapter have, as PEFT counts them: embeddings included, tied ones once. */
    public long totalCount() {
        long all = base.parameterCount();
        for (Parameter parameter : parameters.values()) {
            all += !parameter.counted() || isOfBase(parameter.key())
                    ? 0
                    : parameter.value().numel();
        }
        return all;
    }

    /** PEFT's line: {@code trainable params: 1,081,344 || all params: 135,596,352 || trainable%: 0.7975}. */
    public String trainableLine() {
        long trained = trainableCount();
        long all = totalCount();
        return String.format(
                Locale.ROOT,
                "trainable params: %,d || all params: %,d || trainable%%: %.4f",
                trained,
                all,
                100.0 * trained / all);
    }

    /** Whether PEFT trains the base's own parameter there, such as a bias, and makes no second one. */
    private boolean isOfBase(String key) {
        return base.parameters().containsKey(key.replace(".base_layer.", "."))
                && !SavedModules.contains(config.modulesToSave(), key);
    }

    /** The sites it acts on. */
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>();
        for (Site site : base.sites()) {
            if (effects.containsKey(site)) {
                sites.add(site);
            }
        }
        return sites;
    }

    /** The kinds of {@link Effect} that it has, such as {@code delta}. */
    public Set<String> effects() {
        Set<String> kinds = new TreeSet<>();
        effects.values().stream().flatMap(List::stream).forEach(effect -> {
            for (Class<?> kind : Effect.class.getPermittedSubclasses()) {
                if (kind.isInstance(effect)) {
                    kinds.add(kind.getSimpleName().toLowerCase(Locale.ROOT));
                }
            }
        });
        return kinds;
    }

    /** What it does at a site, in order. */
    List<Effect> effects(Site site) {
        if (firstLayer != null && site.layer() >= 0 && site.layer() < Tensors.item(firstLayer)) {
            return List.of();
        }
        return effects.getOrDefault(site, List.of());
    }

    /** What it works out of the reading of another pass before it acts. */
    List<Preview> previews() {
        return previews;
    }

    /** Whether its answer to a row depends on the other rows of the batch, so that it can't be served. */
    public boolean mixesRows() {
        return effects.values().stream().flatMap(List::stream).anyMatch(Effect::mixesRows);
    }

    /** Whether what goes into an attention layer decides on its prefix. */
    boolean readsAttentionInput() {
        return effects.values().stream()
                .flatMap(List::stream)
                .anyMatch(effect -> effect instanceof Effect.Prefix prefix && prefix.gates() != null);
    }

    /** How many keys the layer of a kind with the longest prefix has before its own. */
    long prefixLength(Attention.Kind kind) {
        return prefixLengths.getOrDefault(kind, 0L);
    }

    /** By how many of those the positions of the tokens move. */
    long prefixShift(Attention.Kind kind) {
        return prefixShifts.getOrDefault(kind, 0L);
    }

    private Map<Attention.Kind, Long> longest(boolean shifting) {
        Map<Attention.Kind, Long> longest = new EnumMap<>(Attention.Kind.class);
        effects.forEach((site, list) -> {
            if (site instanceof Attention attention) {
                long length = list.stream()
                        .filter(effect -> effect instanceof Effect.Prefix prefix && (prefix.shifts() || !shifting))
                        .mapToLong(effect -> ((Effect.Prefix) effect).length())
                        .sum();
                longest.merge(attention.kind(), length, Math::max);
            }
        });
        return longest;
    }

    boolean hasPrompt() {
        return effects.values().stream()
                .flatMap(List::stream)
                .anyMatch(effect -> effect instanceof Effect.Prompt || effect instanceof Effect.Prefix);
    }

    /** Gives the memory of its parameters back now, not when it is collected. Nothing may use it any more. */
    @Override
    public void close() {
        parameters.values().forEach(parameter -> parameter.value().close());
        derived.forEach(Derived::close);
    }
}
