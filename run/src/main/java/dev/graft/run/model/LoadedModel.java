package dev.graft.run.model;

import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.hub.Source;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Selection;
import dev.graft.peft.TaskHooks;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.ops.Int8GradientProduct;
import dev.graft.train.data.CausalEncoder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A base with its active adapters.
 *
 * @param adapters the adapters in the order in which they are applied
 * @param files the folder or file of the base
 */
public record LoadedModel(Base base, List<Adapter> adapters, Path files) {
    /** More are a mistake: 99,999 took half a minute to start. */
    private static final int MOST_THREADS = 256;

    /**
     * Loads a base with adapters and reports it to the listener: {@code Loaded smollm2: llama, 135M parameters, bf16, 0.90s}. Without
     * {@code --task} a base gets the head that its first adapter was trained with.
     *
     * @throws InputException if the base or an adapter doesn't exist, or they don't fit each other
     */
    public static LoadedModel of(
            String model, List<String> adapters, HeadSettings head, ComputeSettings compute, RunListener listener) {
        useThreads(compute);
        return of(
                model,
                adapters,
                headers -> {
                    headers.forEach(header -> requireLabels(head.labels(), header));
                    return options(head, headers, compute);
                },
                listener);
    }

    /** Classes in another order would give every answer another name. */
    private static void requireLabels(List<String> given, AdapterHeader adapter) {
        List<String> known = adapter.labels();
        boolean named = adapter.namesLabels();
        if (!given.isEmpty() && !known.isEmpty() && (named ? !known.equals(given) : known.size() != given.size())) {
            throw new InputException("--labels names the classes " + String.join(", ", given) + ", but "
                    + adapter.folder()
                    + (named
                            ? " was trained with " + String.join(", ", known) + "; leave --labels out"
                            : " has " + known.size() + " of them"));
        }
    }

    /**
     * Loads a base alone. Its head is that of the adapters to come, unless the options name one.
     *
     * @param folders the folders of adapters; unreadable ones, and those for another task than the others, are ignored
     */
    public static LoadedModel under(
            String model, List<Path> folders, HeadSettings head, ComputeSettings compute, RunListener listener) {
        useThreads(compute);
        boolean chosen = head.task() != null && !head.labels().isEmpty();
        AdapterHeader agreed = chosen ? null : AdapterHeader.agreed(folders, head.task(), listener);
        return of(model, List.of(), none -> options(head, agreed == null ? none : List.of(agreed), compute), listener);
    }

    /** Loads a base for a task with adapters that were trained for it; its classes are those of the first that names some. */
    public static LoadedModel of(String model, List<String> adapters, Base.Options options, RunListener listener) {
        return of(model, adapters, headers -> labelled(options, headers), listener);
    }

    private static Base.Options labelled(Base.Options options, List<AdapterHeader> headers) {
        return headers.isEmpty() || headers.get(0).labels().isEmpty()
                ? options
                : options.withLabels(headers.get(0).labels());
    }

    private static LoadedModel of(
            String model,
            List<String> adapters,
            Function<List<AdapterHeader>, Base.Options> options,
            RunListener listener) {
        long start = System.nanoTime();
        try (RunListener.Fetch progress = listener.onFetch()) {
            Hub hub = new Hub(progress);
            Source source = Source.parse(model);
            Path files = hub.fetch(source);
            List<AdapterHeader> headers = new ArrayList<>();
            for (String adapter : adapters) {
                headers.add(AdapterHeader.read(AdapterHeader.folder(adapter, hub)));
            }
            String name = source instanceof Source.Local local ? local.path().toString() : model;
            Base base = Base.load(name, files, options.apply(headers));
            LoadedModel loaded = with(base, files, adapters, headers);
            loaded.report(System.nanoTime() - start, listener);
            return loaded;
        }
    }

    /**
     * Returns the same base with other adapters.
     *
     * @throws InputException if one doesn't exist, doesn't fit, or has other classes
     */
    public LoadedModel with(List<String> others) {
        Hub hub = new Hub();
        List<AdapterHeader> headers = others.stream()
                .map(adapter -> AdapterHeader.read(AdapterHeader.folder(adapter, hub)))
                .toList();
        for (AdapterHeader header : headers) {
            if (!header.labels().isEmpty() && !header.labels().equals(base.labels())) {
                throw new InputException(header.folder() + ": the adapter has the classes "
                        + String.join(", ", header.labels()) + ", expected " + String.join(", ", base.labels()));
            }
        }
        return with(base, files, others, headers);
    }

    private static LoadedModel with(Base base, Path files, List<String> adapters, List<AdapterHeader> headers) {
        List<Adapter> loaded = new ArrayList<>();
        for (int i = 0; i < adapters.size(); i++) {
            AdapterReference chosen = AdapterReference.of(adapters.get(i));
            Path folder = headers.get(i).folder();
            loaded.add(chosen.of(Adapter.load(base, folder), folder).freeze());
        }
        // An adapter may have a deeper base than the one that was loaded.
        return new LoadedModel(loaded.isEmpty() ? base : loaded.get(0).base(), List.copyOf(loaded), files);
    }

    private static Base.Options options(HeadSettings head, List<AdapterHeader> headers, ComputeSettings compute) {
        Base.Options options =
                Base.Options.DEFAULT.withNumerics(compute.numerics()).withQuantization(compute.quantization());
        AdapterHeader first = headers.isEmpty() ? null : headers.get(0);
        String task = head.task() != null ? head.task() : first == null ? null : first.task();
        if (task != null) {
            options = options.withTask(TaskTypes.head(task));
        }
        if (!head.labels().isEmpty()) {
            options = options.withLabels(head.labels());
        } else if (first != null && !first.labels().isEmpty()) {
            options = options.withLabels(first.labels());
        }
        return options;
    }

    /** Sets the threads of tensor arithmetic as the options say. */
    public static void useThreads(ComputeSettings compute) {
        useThreads(compute.threads());
    }

    /**
     * Sets the threads of tensor arithmetic.
     *
     * @param threads the number of threads; null for OMP_NUM_THREADS, or all cores if that isn't set
     * @throws InputException if the number is out of range
     */
    public static void useThreads(@Nullable Integer threads) {
        int cores = Runtime.getRuntime().availableProcessors();
        int most = Math.max(MOST_THREADS, 4 * cores);
        if (threads != null && (threads < 1 || threads > most)) {
            throw new InputException("--threads is " + threads + ", expected at least 1 and at most " + most
                    + "; this machine has " + cores + " cores");
        }
        if (threads != null) {
            Natives.threads(threads);
        } else if (System.getenv("OMP_NUM_THREADS") == null) {
            Natives.threads(cores);
        }
    }

    /** Returns the names of parameters that are in no file of the base or an adapter, and are thus random. */
    public Set<String> randomParameters() {
        Set<String> random = new TreeSet<>(base.newParameters());
        adapters.forEach(adapter -> random.removeAll(adapter.parameters().keySet()));
        return random;
    }

    /**
     * Checks that the head is trained.
     *
     * @throws InputException if neither the base's files nor the adapters have a head for the task
     */
    public void requireTrained() {
        List<String> untrained = randomParameters().stream()
                .filter(parameter -> adapters.isEmpty() || isOfHead(parameter))
                .toList();
        if (!untrained.isEmpty()) {
            throw new InputException(untrained() + ": " + String.join(", ", untrained)
                    + " are random; name an adapter that was trained with one, or the task of the adapter by --task");
        }
    }

    private boolean isOfHead(String parameter) {
        Linear output = base.head().output();
        return AdapterConfig.isOfHead(base, parameter) || output != null && parameter.startsWith(output.name() + ".");
    }

    private String untrained() {
        return base.name() + " has no trained head for " + base.task()
                + (adapters.isEmpty() ? "" : ", and no adapter has one");
    }

    private void report(long nanos, RunListener listener) {
        listener.onNotice("Loaded " + base.name() + ": " + base.architecture().modelType() + ", "
                + UnitFormat.count(base.parameterCount()) + " parameters, " + precision(base) + ", "
                + UnitFormat.duration(Duration.ofNanos(nanos)));
        for (Adapter adapter : adapters) {
            listener.onNotice("  with " + adapter.method().type().name() + " on "
                    + adapter.sites().size() + " modules, " + UnitFormat.count(adapter.trainableCount())
                    + " parameters");
        }
        Set<String> random = randomParameters();
        if (!random.isEmpty()) {
            listener.onNotice("  warning: " + untrained() + ": " + String.join(", ", random) + " are random");
        }
    }

    /**
     * Enables rounding of the gradients through a base's linear layers to 8-bit integers.
     *
     * @param wanted true or false; null to round where it needs no extra memory and is faster: through matrices in int8
     */
    public static void roundGradients(Base base, @Nullable Boolean wanted) {
        if (wanted == null && base.numerics().equals(Numerics.BF16) && Int8GradientProduct.isFaster()) {
            base.useInt8GradientsWhereQuantized();
        } else if (wanted != null && wanted) {
            requireGradients(wanted);
            base.useInt8Gradients();
        }
    }

    /**
     * Checks that the processor supports int8 gradients.
     *
     * @throws InputException if they are wanted and it doesn't
     */
    public static void requireGradients(@Nullable Boolean wanted) {
        if (wanted != null && wanted && !Int8GradientProduct.isAvailable()) {
            throw new InputException(
                    "int8_gradients=true: products in 8-bit integers need a processor with AVX-512, which this one"
                            + " isn't; leave int8_gradients out");
        }
    }

    /** Returns the number formats of a base's weights and products: {@code bf16}, or {@code nf4 with bf16 products}. */
    public static String precision(Base base) {
        String kinds = quantization(base);
        return kinds.equals("none") ? dtype(base) : kinds + " with " + dtype(base) + " products";
    }

    /**
     * Returns the quantisation of the weight matrices in a base's linear layers: {@code none}, {@code nf4}, or {@code q4_k, q6_k}.
     */
    public static String quantization(Base base) {
        TreeSet<String> kinds = new TreeSet<>();
        base.quantized().values().forEach(matrix -> kinds.add(matrix.kind()));
        return kinds.isEmpty() ? "none" : String.join(", ", kinds);
    }

    /** Returns the number format of a base in the form of {@code --dtype}. */
    public static String dtype(Base base) {
        return base.numerics().equals(Numerics.BF16) ? "bf16" : base.numerics().equals(Numerics.FP32) ? "fp32" : "fp64";
    }

    /**
     * Returns the chat template of the base.
     *
     * @throws InputException if it has none
     */
    public Chat chat() {
        return Chat.load(files, base.tokenizer());
    }

    /** Returns the chat template, and warns if its end of answers or its generation prompt is unusable for serving. */
    public Chat chat(Consumer<String> warnings) {
        Chat chat = chat();
        Stream.of(CausalEncoder.endWarning(chat, base.endTokens()), CausalEncoder.promptWarning(chat))
                .filter(Objects::nonNull)
                .forEach(warning -> warnings.accept("Warning: " + warning));
        return chat;
    }

    /** Returns the hooks of the adapters, which select by task if rows name tasks. */
    public Hooks hooks() {
        return adapters.size() == 1
                ? TaskHooks.of(adapters.get(0))
                : selection().hooks();
    }

    /**
     * Returns the selection of all adapters for every row, applied in their order.
     *
     * @throws InputException if an adapter needs the task of each row
     */
    public Selection selection() {
        for (Adapter adapter : adapters) {
            if (adapter.lacksTask()) {
                throw new InputException(adapter.method().type().name() + " knows " + adapter.tasks()
                        + " tasks; choose one behind the adapter's folder, --adapter FOLDER#TASK, by its name"
                        + " or number");
            }
        }
        return Selection.all(adapters.stream().map(Selection::of).toArray(Selection[]::new));
    }
}
