package dev.graft.cli.model;

import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Terminal;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.hub.Source;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Selection;
import dev.graft.peft.TaskHooks;
import dev.graft.tensor.GradientProduct;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A base with the adapters that act on it.
 *
 * @param adapters in the order in which they act
 * @param files where the base was read from
 */
public record Loading(Base base, List<Adapter> adapters, Path files) {
    /** More are a mistake: 99,999 took half a minute to start. */
    private static final int MOST_THREADS = 256;

    /**
     * Loads what the options name and says so on standard error: {@code Loaded smollm2: llama, 135M parameters, bf16, 0.90s}. Without
     * {@code --task} a base gets the head that its first adapter was trained with.
     *
     * @throws InputException if the base or an adapter isn't there, or they don't fit each other
     */
    public static Loading of(
            String model, List<String> adapters, HeadOptions head, ComputeOptions compute, PrintWriter err) {
        useThreads(compute);
        return of(
                model,
                adapters,
                headers -> {
                    headers.forEach(header -> requireLabels(head.labels(), header));
                    return options(head, headers, compute);
                },
                err);
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
     * Loads a base alone, with the head that those who will act on it were trained with where the options name none.
     *
     * @param folders of adapters; those that can't be read, or are for another task than the others, say nothing
     */
    public static Loading under(
            String model, List<Path> folders, HeadOptions head, ComputeOptions compute, PrintWriter err) {
        useThreads(compute);
        boolean chosen = head.task() != null && !head.labels().isEmpty();
        AdapterHeader agreed = chosen ? null : AdapterHeader.agreed(folders, head.task(), err);
        return of(model, List.of(), none -> options(head, agreed == null ? none : List.of(agreed), compute), err);
    }

    /** Loads a base for a task with adapters that were trained for it; its classes are those of the first that names some. */
    public static Loading of(String model, List<String> adapters, Base.Options options, PrintWriter err) {
        return of(model, adapters, headers -> labelled(options, headers), err);
    }

    private static Base.Options labelled(Base.Options options, List<AdapterHeader> headers) {
        return headers.isEmpty() || headers.get(0).labels().isEmpty()
                ? options
                : options.withLabels(headers.get(0).labels());
    }

    private static Loading of(
            String model, List<String> adapters, Function<List<AdapterHeader>, Base.Options> options, PrintWriter err) {
        long start = System.nanoTime();
        try (DownloadLine progress = new DownloadLine(err, Terminal.isLive())) {
            Hub hub = new Hub(progress);
            Source source = Source.parse(model);
            Path files = hub.fetch(source);
            List<AdapterHeader> headers = new ArrayList<>();
            for (String adapter : adapters) {
                headers.add(AdapterHeader.read(AdapterHeader.folder(adapter, hub)));
            }
            String name = source instanceof Source.Local local ? local.path().toString() : model;
            Base base = Base.load(name, files, options.apply(headers));
            Loading loading = with(base, files, adapters, headers);
            loading.report(System.nanoTime() - start, err);
            return loading;
        }
    }

    /**
     * The same base with other adapters.
     *
     * @throws InputException if one isn't there, doesn't fit, or has other classes
     */
    public Loading with(List<String> others) {
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

    private static Loading with(Base base, Path files, List<String> adapters, List<AdapterHeader> headers) {
        List<Adapter> loaded = new ArrayList<>();
        for (int i = 0; i < adapters.size(); i++) {
            AdapterTask chosen = AdapterTask.of(adapters.get(i));
            Path folder = headers.get(i).folder();
            loaded.add(chosen.of(Adapter.load(base, folder), folder).freeze());
        }
        // An adapter may have a deeper base than the one that was loaded.
        return new Loading(loaded.isEmpty() ? base : loaded.get(0).base(), List.copyOf(loaded), files);
    }

    private static Base.Options options(HeadOptions head, List<AdapterHeader> headers, ComputeOptions compute) {
        Base.Options options = Base.Options.DEFAULT
                .withNumerics(Numerics.of(compute.dtype().name()))
                .withQuantization(compute.quantization());
        AdapterHeader first = headers.isEmpty() ? null : headers.get(0);
        String task = head.task() != null ? head.task() : first == null ? null : first.task();
        if (task != null) {
            options = options.withTask(Task.of(task));
        }
        if (!head.labels().isEmpty()) {
            options = options.withLabels(head.labels());
        } else if (first != null && !first.labels().isEmpty()) {
            options = options.withLabels(first.labels());
        }
        return options;
    }

    /** Sets the threads of tensor arithmetic as the options say. */
    public static void useThreads(ComputeOptions compute) {
        useThreads(compute.threads());
    }

    /**
     * Sets the threads of tensor arithmetic.
     *
     * @param threads null for OMP_NUM_THREADS, or all cores where that isn't set
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

    /** Parameters that are neither in the base's files nor in those of an adapter: their values mean nothing. */
    public Set<String> random() {
        Set<String> random = new TreeSet<>(base.freshParameters());
        adapters.forEach(adapter -> random.removeAll(adapter.parameters().keySet()));
        return random;
    }

    /**
     * Refuses a head that nobody trained.
     *
     * @throws InputException if the base's files have none for its task, and the adapters don't either
     */
    public void requireTrained() {
        List<String> untrained = random().stream()
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

    private void report(long nanos, PrintWriter err) {
        err.println("Loaded " + base.name() + ": " + base.architecture().modelType() + ", "
                + Figures.count(base.parameterCount()) + " parameters, " + numbers(base) + ", "
                + Figures.duration(Duration.ofNanos(nanos)));
        for (Adapter adapter : adapters) {
            err.println("  with " + adapter.method().type().name() + " on "
                    + adapter.sites().size() + " modules, " + Figures.count(adapter.trainableCount()) + " parameters");
        }
        Set<String> random = random();
        if (!random.isEmpty()) {
            err.println("  warning: " + untrained() + ": " + String.join(", ", random) + " are random");
        }
        err.flush();
    }

    /**
     * Has gradients go back through a base's linear layers in 8-bit integers.
     *
     * @param wanted null for what takes no memory: where that is faster, through matrices that are in int8 themselves
     */
    public static void roundGradients(Base base, @Nullable Boolean wanted) {
        if (wanted == null && base.numerics().equals(Numerics.BF16) && GradientProduct.isFaster()) {
            base.roundQuantizedGradients();
        } else if (wanted != null && wanted) {
            requireGradients(wanted);
            base.roundGradients();
        }
    }

    /** Refuses gradients in int8 on a processor that doesn't have their products. */
    public static void requireGradients(@Nullable Boolean wanted) {
        if (wanted != null && wanted && !GradientProduct.isThere()) {
            throw new InputException(
                    "int8_gradients=true: products in 8-bit integers need a processor with AVX-512, which this one isn't;"
                            + " leave int8_gradients out");
        }
    }

    /** In what a base is kept and calculated: {@code bf16}, or {@code nf4 with bf16 products}. */
    public static String numbers(Base base) {
        String kinds = quantization(base);
        return kinds.equals("none") ? dtype(base) : kinds + " with " + dtype(base) + " products";
    }

    /** In what the matrices of a base's linear layers are kept: {@code none}, {@code nf4}, or {@code q4_k, q6_k}. */
    public static String quantization(Base base) {
        TreeSet<String> kinds = new TreeSet<>();
        base.quantized().values().forEach(matrix -> kinds.add(matrix.kind()));
        return kinds.isEmpty() ? "none" : String.join(", ", kinds);
    }

    /** The arithmetic of a base, as {@code --dtype} names it. */
    public static String dtype(Base base) {
        return base.numerics().equals(Numerics.BF16) ? "bf16" : base.numerics().equals(Numerics.FP32) ? "fp32" : "fp64";
    }

    /**
     * The chat template that came with the base.
     *
     * @throws InputException if it has none
     */
    public Chat chat() {
        return Chat.load(files, base.tokenizer());
    }

    /** What acts on rows, by their tasks where they name some. */
    public Hooks hooks() {
        return adapters.size() == 1
                ? TaskHooks.of(adapters.get(0))
                : selection().hooks();
    }

    /** All of its adapters on every row, each acting on what those before it give. */
    public Selection selection() {
        for (Adapter adapter : adapters) {
            if (adapter.lacksTask()) {
                throw new InputException(
                        adapter.method().type().name() + " knows " + adapter.tasks()
                                + " tasks; choose one behind the adapter's folder, --adapter FOLDER#TASK, by its name or number");
            }
        }
        return Selection.all(adapters.stream().map(Selection::of).toArray(Selection[]::new));
    }
}
