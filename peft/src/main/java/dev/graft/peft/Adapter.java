package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a method on one base, and their effects at its sites. The base doesn't know its adapters: a {@link Selection} applies them to
 * a forward pass.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 42);
 * adapter.save(Path.of("out/adapter"));
 * Adapter again = Adapter.load(base, Path.of("out/adapter"));
 * }</pre>
 */
public final class Adapter implements Method.Instance, AutoCloseable {
    private final AdapterContent content;
    private final boolean stored;
    private final Map<Attention.Kind, Long> prefixLengths;
    private final Map<Attention.Kind, Long> prefixShifts;
    private final int tasks;
    private final int task;
    private final List<LookAhead> lookAheads;
    private final List<CachedValue> cachedValues;
    private boolean frozen;
    private LabelSpace labelSpace = LabelSpace.UNKNOWN;

    Adapter(Base base, AdapterConfig config, Grafter.Values values) {
        this(base, config, values, -1, null);
    }

    private Adapter(Base base, AdapterConfig config, Grafter.Values values, int task, @Nullable Statistics statistics) {
        this.stored = values.areStored();
        Grafter grafter = new Grafter(base, config.modulesToSave(), values, task, statistics);
        config.method().graft(grafter);
        if (grafter.effects().isEmpty()) {
            throw new InputException(
                    base.name() + " has nothing that " + config.method().type().name() + " acts on");
        }
        grafter.requireEffects(config.method().type().name());
        SavedModuleCopies.graft(grafter);
        this.content = AdapterContent.of(config, grafter);
        this.task = task;
        this.tasks = grafter.tasks();
        this.lookAheads = List.copyOf(grafter.lookAheads());
        this.cachedValues = List.copyOf(grafter.cached());
        this.prefixLengths = longest(false);
        this.prefixShifts = longest(true);
    }

    /** Creates an adapter. A classifier's head, as in PEFT, is trained and saved with it. */
    public static Adapter create(Base base, Method method, long seed) {
        return create(base, AdapterConfig.of(base, method), seed);
    }

    /** Creates an adapter; each initial value depends only on the seed and the parameter's name. */
    public static Adapter create(Base base, AdapterConfig config, long seed) {
        return new Adapter(config.method().targetBase(base), config, Grafter.fresh(seed));
    }

    /** Creates an adapter of a method that needs calibration data first; see {@link CalibrationBatches}. */
    public static Adapter create(Base base, AdapterConfig config, CalibrationBatches calibration, long seed) {
        try (Statistics statistics = new Statistics(calibration)) {
            Base own = config.method().targetBase(base);
            Method fitted = config.method().calibrated(own, config.modulesToSave(), statistics);
            return new Adapter(own, config.withMethod(fitted), Grafter.fresh(seed), -1, statistics);
        }
    }

    /**
     * Loads a folder that PEFT, AdapterHub or Graft wrote. It must contain exactly the expected tensors, of the right shapes and finite.
     *
     * @throws dev.graft.formats.InputException if the folder isn't an adapter for this base; the message says what is wrong where
     */
    public static Adapter load(Base base, Path folder) {
        return load(base, folder, false);
    }

    /**
     * Loads the folder of an adapter for serving only, {@linkplain #freeze frozen}. On a base in bf16 plain LoRA is kept in bf16, with the same
     * outputs to the last bit. So don't merge, combine or save it.
     *
     * @throws dev.graft.formats.InputException if the folder isn't an adapter for this base
     */
    public static Adapter loadServed(Base base, Path folder) {
        return load(base, folder, true).freeze();
    }

    private static Adapter load(Base base, Path folder, boolean served) {
        return AdapterFolder.read(base, folder, served, stored -> {
            Adapter adapter = stored.create(
                    (config, values) -> new Adapter(config.method().targetBase(base), config, values));
            try {
                stored.requireWhole(adapter.content);
            } catch (InputException refused) {
                adapter.close();
                throw refused;
            }
            return adapter.setLabelSpace(stored.labelSpace());
        });
    }

    /**
     * Returns an adapter with the same values in the same memory, but separate gradients, for another training thread.
     */
    public Adapter replica() {
        return rebuild(task, value -> {
            try (Scope scope = new Scope()) {
                return scope.release(value.detach().set_requires_grad(value.requires_grad()));
            }
        });
    }

    /**
     * Returns this adapter for one of its tasks, with the same parameters.
     *
     * @throws dev.graft.formats.InputException if it has no such task
     */
    public Adapter task(int number) {
        if (number < 0 || number >= tasks) {
            throw new InputException("task " + number + " is asked for, but the adapter has "
                    + (tasks == 1 ? "one task, 0" : "the tasks 0 to " + (tasks - 1)));
        }
        return rebuild(number, value -> value);
    }

    /**
     * Returns the part of this adapter that belongs to one of its method's methods, with the same parameters; without modules that are saved
     * whole.
     */
    @Override
    public Adapter part(Method method) {
        return rebuild(config().withMethod(method).withModulesToSave(List.of()), task, "", value -> value);
    }

    /** Returns the adapter that this one contains under a name, of that method, with the same parameters. */
    @Override
    public Adapter nestedAdapter(String name, Method method) {
        return rebuild(config().withMethod(method).withModulesToSave(List.of()), task, name + "/", value -> value);
    }

    private Adapter rebuild(int forTask, UnaryOperator<Tensor> share) {
        return rebuild(config(), forTask, "", share);
    }

    private Adapter rebuild(AdapterConfig as, int forTask, String before, UnaryOperator<Tensor> share) {
        Grafter.Values shared = new Grafter.Values() {
            @Override
            public Tensor get(String key, Initializer initializer, ScalarType type, long... shape) {
                return share.apply(value(before + key));
            }

            @Override
            public Tensor regenerated(String key, Initializer initializer, ScalarType type, long... shape) {
                return get(key, initializer, type, shape);
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
                Parameter parameter = parameters().get(before + key);
                return parameter == null ? null : Tensors.shape(parameter.value());
            }
        };
        Adapter same = new Adapter(base(), as, shared, forTask, null);
        return (frozen ? same.freeze() : same).setLabelSpace(labelSpace);
    }

    Adapter setLabelSpace(LabelSpace newLabelSpace) {
        labelSpace = newLabelSpace;
        return this;
    }

    /** Returns the labels that the adapter was trained on, as described in the folder that it was loaded from. */
    public LabelSpace labelSpace() {
        return labelSpace;
    }

    /**
     * Declares that its parameters no longer change; it can't be trained afterwards. Values that its method computes from them, such as DoRA's
     * norms or OFT's rotations, are computed once and not in every pass.
     */
    public Adapter freeze() {
        parameters().values().forEach(parameter -> parameter.value().set_requires_grad(false));
        cachedValues.forEach(CachedValue::cache);
        frozen = true;
        return this;
    }

    /** Returns the memory of its tensors, with the values {@linkplain #freeze computed from them}, in bytes. */
    public long bytes() {
        return parameters().values().stream()
                        .mapToLong(parameter -> parameter.value().nbytes())
                        .sum()
                + cachedValues.stream().mapToLong(CachedValue::bytes).sum();
    }

    /** Returns whether its initial values come from files instead of being random. */
    public boolean isStored() {
        return stored;
    }

    /** Returns its number of tasks. With more than one, a {@link Selection} needs the adapter of one {@link #task}. */
    public int tasks() {
        return tasks;
    }

    /** Returns whether it has several tasks and none is chosen. */
    public boolean lacksTask() {
        return tasks > 1 && task < 0;
    }

    /** Writes the folder, atomically. */
    public void save(Path folder) {
        save(folder, path -> {});
    }

    /**
     * Writes the folder, atomically.
     *
     * @param more writes further files into it before it becomes visible
     */
    public void save(Path folder, Consumer<Path> more) {
        Method saved = method().savedMethod(this);
        AdapterFolder.save(content, saved, folder, temporary -> {
            saved.nestedMethods()
                    .forEach((name, method) -> nestedAdapter(name, method).save(temporary.resolve(name)));
            more.accept(temporary);
        });
    }

    @Override
    public Base base() {
        return content.base();
    }

    public AdapterConfig config() {
        return content.config();
    }

    public Method method() {
        return config().method();
    }

    /** Returns all tensors in memory, trained or not, by name: those that a training checkpoint needs. */
    @Override
    public Map<String, Parameter> parameters() {
        return content.parameters();
    }

    /** Returns one of its tensors. */
    @Override
    public Tensor value(String key) {
        return content.value(key);
    }

    /** The trained tensors by name. */
    @Override
    public Map<String, Tensor> trainable() {
        Map<String, Tensor> trained = new LinkedHashMap<>();
        parameters().forEach((key, parameter) -> {
            if (parameter.trainable()) {
                trained.put(key, parameter.value());
            }
        });
        return trained;
    }

    /** Returns the number of trained values. */
    public long trainableCount() {
        return trainable().values().stream().mapToLong(Tensor::numel).sum();
    }

    /** Returns the number of values of base and adapter, counted as in PEFT: with embeddings, tied ones once. */
    public long totalCount() {
        long all = base().parameterCount();
        for (Parameter parameter : parameters().values()) {
            all += !parameter.counted() || isOfBase(parameter.key())
                    ? 0
                    : parameter.value().numel();
        }
        return all;
    }

    /** Returns PEFT's line: {@code trainable params: 1,081,344 || all params: 135,596,352 || trainable%: 0.7975}. */
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

    /** Returns whether PEFT trains the base's own parameter there, such as a bias, and creates no second one. */
    private boolean isOfBase(String key) {
        return base().parameters().containsKey(key.replace(".base_layer.", "."))
                && !SavedModules.contains(config().modulesToSave(), key);
    }

    /** Returns the sites that it adapts. */
    @Override
    public List<Site> sites() {
        return content.sites();
    }

    /** The kinds of {@link Effect} that it has, such as {@code delta}. */
    public Set<String> effects() {
        Set<String> kinds = new TreeSet<>();
        content.effects().values().stream().flatMap(List::stream).forEach(effect -> {
            for (Class<?> kind : Effect.class.getPermittedSubclasses()) {
                if (kind.isInstance(effect)) {
                    kinds.add(kind.getSimpleName().toLowerCase(Locale.ROOT));
                }
            }
        });
        return kinds;
    }

    /** Returns its effects at a site, in order. */
    List<Effect> effects(Site site) {
        return content.effects(site);
    }

    /** Returns its look-aheads: values computed before the main pass by a model that reads the batch first. */
    List<LookAhead> lookAheads() {
        return lookAheads;
    }

    /** Returns whether its output for a row depends on the other rows of the batch, which excludes it from serving. */
    public boolean mixesRows() {
        return content.effects().values().stream().flatMap(List::stream).anyMatch(Effect::mixesRows);
    }

    /** Returns whether its prefix depends on the input of an attention layer. */
    boolean readsAttentionInput() {
        return content.effects().values().stream()
                .flatMap(List::stream)
                .anyMatch(effect -> effect instanceof Effect.Prefix prefix && prefix.gates() != null);
    }

    /** Returns the length of the longest prefix among the attention layers of a kind. */
    long prefixLength(Attention.Kind kind) {
        return prefixLengths.getOrDefault(kind, 0L);
    }

    /** Returns the part of that length by which the positions of the tokens shift. */
    long prefixShift(Attention.Kind kind) {
        return prefixShifts.getOrDefault(kind, 0L);
    }

    private Map<Attention.Kind, Long> longest(boolean shifting) {
        Map<Attention.Kind, Long> longest = new EnumMap<>(Attention.Kind.class);
        content.effects().forEach((site, list) -> {
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
        return content.effects().values().stream()
                .flatMap(List::stream)
                .anyMatch(effect -> effect instanceof Effect.Prompt || effect instanceof Effect.Prefix);
    }

    /** Frees the memory of its parameters at once; it can't be used afterwards. */
    @Override
    public void close() {
        parameters().values().forEach(parameter -> parameter.value().close());
        cachedValues.forEach(CachedValue::close);
    }
}
