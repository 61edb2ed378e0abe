package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Table;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.run.bench.BenchMethod;
import dev.graft.run.bench.PeftRunner;
import dev.graft.run.bench.Spread;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.ServedModel;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.adapters.LoadedAdapter;
import dev.graft.serve.engine.Engine;
import dev.graft.tensor.BackgroundThread;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft bench serve}: speed, latency and memory with many adapters. */
record BenchServeRun(
        String model,
        ServingLoad servingLoad,
        @Nullable PeftRunner peftRunner,
        ComputeOptions compute,
        PrintWriter err) {

    /** New tokens that are written before each measurement; the peer's script writes as many. */
    private static final int WARMUP_TOKENS = 4;

    /** The number of texts for each row where texts come and go. */
    private static final int REQUESTS_PER_ROW = 4;

    /**
     * The load of the benchmark.
     *
     * @param rows the number of texts in a batch
     * @param adapters the number of adapters in a batch
     * @param hot the number of adapters in use in the mode with changing adapters
     * @param registered the number of all adapters, at least {@code hot}
     */
    record ServingLoad(
            int rows,
            int adapters,
            int hot,
            int registered,
            int rank,
            int prompt,
            int newTokens,
            int warmup,
            int repeats) {}

    /**
     * The measured speeds, times and memory.
     *
     * @param tokens generated tokens per second of all rows, by mode
     * @param peers the same for PEFT, by mode; empty if not measured
     * @param firstTokenMillis the time to first token in milliseconds with an adapter for each row, the slowest of twenty
     * @param loadMillis the median milliseconds to load an adapter
     * @param memoryRatio the bytes of an adapter in memory divided by the bytes of its parameters; null if there is a single adapter
     */
    record Measurements(
            String dtype,
            ServingLoad servingLoad,
            Map<String, Spread> tokens,
            Map<String, Spread> peers,
            double firstTokenMillis,
            double loadMillis,
            @Nullable Double memoryRatio) {
        String json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("dtype", dtype);
            json.put("rows", servingLoad.rows);
            json.put("adapters", servingLoad.adapters);
            json.put("hot", servingLoad.hot);
            json.put("registered", servingLoad.registered);
            json.put("rank", servingLoad.rank);
            ObjectNode modes = json.putObject("new_tokens_per_s");
            tokens.forEach((mode, rates) -> modes.put(mode, rates.median()));
            if (!peers.isEmpty()) {
                ObjectNode others = json.putObject("peft_new_tokens_per_s");
                peers.forEach((mode, rates) -> others.put(mode, rates.median()));
            }
            json.put("first_token_p95_ms", firstTokenMillis);
            json.put("adapter_load_ms", loadMillis);
            json.put("adapter_memory_to_bytes", memoryRatio);
            return Json.compact(json);
        }

        String text() {
            Table table = peers.isEmpty()
                    ? new Table("rows with", "new tokens/s", "of the base")
                    : new Table("rows with", "new tokens/s", "of the base", "PEFT", "times PEFT");
            tokens.forEach((mode, rates) -> {
                List<String> cells = new ArrayList<>(
                        List.of(mode, rates.format(1), number(100 * rates.median() / tokens("base")) + " %"));
                Spread others = peers.get(mode);
                if (!peers.isEmpty()) {
                    cells.add(others == null ? "" : others.format(1));
                    cells.add(
                            others == null ? "" : String.format(Locale.ROOT, "%.2f", rates.median() / others.median()));
                }
                table.row(cells.toArray());
            });
            return table.toString().stripTrailing() + "\n" + servingLoad.hot + " hot adapters of "
                    + servingLoad.registered + " cost "
                    + number(100 * (tokens("one, in turn") / tokens("hot, in turn") - 1))
                    + " % more time than one where texts come and go\n" + number(firstTokenMillis)
                    + " ms to the first token (95th percentile, mixed), " + number(loadMillis)
                    + " ms to load an adapter"
                    + (memoryRatio == null
                            ? ""
                            : String.format(Locale.ROOT, ", which takes %.2f times its bytes", memoryRatio));
        }

        private double tokens(String mode) {
            return Objects.requireNonNull(tokens.get(mode)).median();
        }

        private static String number(double value) {
            return String.format(Locale.ROOT, "%.1f", value);
        }
    }

    Measurements measure() {
        Base base = BackgroundThread.run(this::base);
        if (peftRunner != null
                && base.sites().stream().anyMatch(site -> site instanceof Linear layer && layer.isQuantized())) {
            throw new InputException(
                    "--beside-peft compares whole bases, and this one is quantised; leave one of them out");
        }
        Path folder = folder();
        Path store = folder.resolve("adapters");
        try {
            Adapter example = Adapter.create(
                    base, new BenchMethod("lora", "all-linear", servingLoad.rank).on(base, err::println), 1);
            for (int i = 0; i < servingLoad.adapters; i++) {
                example.save(store.resolve("a" + i));
            }
            Adapters adapters = new Adapters(base, "base", new FolderStore(store));
            adapters.lease("a0");
            long before = resident();
            List<ServedModel> served = new ArrayList<>();
            for (int i = 0; i < servingLoad.adapters; i++) {
                served.add(adapters.lease("a" + i).model());
            }
            long bytes =
                    adapters.loaded().stream().mapToLong(LoadedAdapter::bytes).sum();
            Double memory = servingLoad.adapters == 1
                    ? null
                    : Double.valueOf((double) (resident() - before)
                            / (bytes / servingLoad.adapters * (servingLoad.adapters - 1)));
            double[] loads = adapters.loaded().stream()
                    .mapToDouble(loaded -> loaded.loadNanos() / 1e6)
                    .sorted()
                    .toArray();
            register(example, store);
            List<ServedModel> hot = new ArrayList<>();
            for (int i = 0; i < servingLoad.hot; i++) {
                hot.add(adapters.lease("a" + i).model());
            }
            Path model = folder.resolve("model");
            if (peftRunner != null) {
                base.save(model);
            }
            return write(base, served, hot, model, loads[loads.length / 2], memory);
        } finally {
            AtomicWrite.delete(folder);
        }
    }

    /** Writes the others; those that nobody asks for have the files of some. */
    private void register(Adapter example, Path folder) {
        int used = Math.max(servingLoad.adapters, servingLoad.hot);
        for (int i = servingLoad.adapters; i < used; i++) {
            example.save(folder.resolve("a" + i));
        }
        for (int i = used; i < servingLoad.registered; i++) {
            link(folder.resolve("a" + i % used), folder.resolve("a" + i));
        }
    }

    private static void link(Path adapter, Path other) {
        try (Stream<Path> files = Files.list(adapter)) {
            Files.createDirectory(other);
            for (Path file : files.toList()) {
                Files.createLink(other.resolve(file.getFileName()), file);
            }
        } catch (IOException unwritable) {
            throw new UncheckedIOException(unwritable);
        }
    }

    private Base base() {
        Base base = LoadedModel.of(model, List.of(), HeadSettings.DEFAULT, compute, new ConsoleListener(err))
                .base();
        base.pack();
        return base;
    }

    /** @param saved the base as a Hugging Face folder, for the peer */
    private Measurements write(
            Base base,
            List<ServedModel> served,
            List<ServedModel> hot,
            Path saved,
            double load,
            @Nullable Double memory) {
        List<Double> firsts = new ArrayList<>();
        Map<String, List<Double>> rates = new LinkedHashMap<>();
        Map<String, List<Double>> others = new LinkedHashMap<>();
        int places = (servingLoad.rows + 7) / 8 * 8;
        try (Engine engine =
                new Engine(base, null, new Engine.Options(places, REQUESTS_PER_ROW * servingLoad.rows, 128, 0))) {
            List<ServedModel> one = served.subList(0, 1);
            Map<String, Requests> modes = new LinkedHashMap<>();
            modes.put("base", uniform(List.of(ServedModel.base("base")), servingLoad.newTokens));
            modes.put("one", uniform(one, servingLoad.newTokens));
            modes.put("mixed", uniform(served, servingLoad.newTokens));
            modes.put("one, in turn", varied(one));
            modes.put("hot, in turn", varied(hot));
            for (int round = 0; round < servingLoad.warmup; round++) {
                modes.values().forEach(texts -> run(engine, base, texts, null));
            }
            for (int round = 0; round < servingLoad.repeats; round++) {
                modes.forEach((mode, texts) -> {
                    run(engine, base, uniform(texts.adapters, Math.min(servingLoad.newTokens, WARMUP_TOKENS)), null);
                    double seconds = run(engine, base, texts, mode.equals("mixed") ? firsts : null);
                    int tokens =
                            texts.lengths.stream().mapToInt(Integer::intValue).sum();
                    rates.computeIfAbsent(mode, fresh -> new ArrayList<>()).add(tokens / seconds);
                });
                if (peftRunner != null) {
                    peftRunner
                            .generate(saved, arguments(base))
                            .forEach((mode, rate) -> others.computeIfAbsent(mode, fresh -> new ArrayList<>())
                                    .add(rate));
                }
            }
        }
        double[] sorted =
                firsts.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        double first = sorted[(int) Math.ceil(0.95 * sorted.length) - 1];
        return new Measurements(
                LoadedModel.dtype(base), servingLoad, spreads(rates), spreads(others), first, load, memory);
    }

    private static Map<String, Spread> spreads(Map<String, List<Double>> rates) {
        Map<String, Spread> spreads = new LinkedHashMap<>();
        rates.forEach((mode, all) -> spreads.put(mode, Spread.of(all)));
        return spreads;
    }

    /** The arguments of the peer's script. */
    private List<String> arguments(Base base) {
        return List.of(
                "--dtype=" + (base.numerics().equals(Numerics.BF16) ? "bfloat16" : "float32"),
                "--rows=" + servingLoad.rows,
                "--adapters=" + servingLoad.adapters,
                "--rank=" + servingLoad.rank,
                "--prompt=" + servingLoad.prompt,
                "--new=" + servingLoad.newTokens,
                "--threads=" + Natives.threads());
    }

    /**
     * The texts to write.
     *
     * @param adapters the adapters of the texts, in turn
     * @param lengths new tokens of each text
     */
    private record Requests(List<ServedModel> adapters, List<Integer> lengths) {}

    /** A text for each row, all of as many new tokens. */
    private Requests uniform(List<ServedModel> adapters, int tokens) {
        return new Requests(adapters, Collections.nCopies(servingLoad.rows, tokens));
    }

    /** Several texts for each row, from half as long to half as much longer, with adapters in no order. */
    private Requests varied(List<ServedModel> adapters) {
        List<ServedModel> shuffled = new ArrayList<>(adapters);
        Collections.shuffle(shuffled, new Random(3));
        return new Requests(
                shuffled,
                new Random(2)
                        .ints(
                                REQUESTS_PER_ROW * servingLoad.rows,
                                (servingLoad.newTokens + 1) / 2,
                                servingLoad.newTokens + servingLoad.newTokens / 2 + 1)
                        .boxed()
                        .toList());
    }

    /** Writes texts, as many at once as there are rows; returns how many seconds it took. */
    private double run(Engine engine, Base base, Requests texts, @Nullable List<Double> firsts) {
        Random random = new Random(1);
        CountDownLatch open = new CountDownLatch(texts.lengths.size());
        List<GenerationRequest> requests = new ArrayList<>();
        List<GenerationListener> listeners = new ArrayList<>();
        double[] times = new double[texts.lengths.size()];
        RuntimeException[] failure = new RuntimeException[1];
        long start = System.nanoTime();
        for (int i = 0; i < times.length; i++) {
            int[] prompt = random.ints(servingLoad.prompt, 10, base.backbone().vocabSize())
                    .toArray();
            GenerateOptions options = GenerateOptions.DEFAULT
                    .withMaxNewTokens(texts.lengths.get(i))
                    .withEndTokens(Set.of());
            requests.add(GenerationRequest.of(prompt, options, texts.adapters.get(i % texts.adapters.size())));
            int row = i;
            listeners.add(new GenerationListener() {
                @Override
                public void onToken(TokenLogprob token, String text) {
                    times[row] = times[row] == 0 ? (System.nanoTime() - start) / 1e6 : times[row];
                }

                @Override
                public void onFinish(Result result) {
                    open.countDown();
                }

                @Override
                public void onError(RuntimeException why) {
                    failure[0] = why;
                    open.countDown();
                }
            });
        }
        engine.submit(requests, listeners);
        try {
            open.await();
        } catch (InterruptedException stop) {
            throw new IllegalStateException("interrupted", stop);
        }
        if (failure[0] != null) {
            throw failure[0];
        }
        if (firsts != null) {
            Arrays.stream(times).forEach(firsts::add);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    /** The memory that this process has, in bytes; 0 where the system doesn't tell. */
    private static long resident() {
        try {
            return 4096
                    * Long.parseLong(
                            Files.readString(Path.of("/proc/self/statm")).split(" ")[1]);
        } catch (IOException elsewhere) {
            return 0;
        }
    }

    private static Path folder() {
        try {
            return Files.createTempDirectory("graft-bench-serve").toRealPath();
        } catch (IOException full) {
            throw new UncheckedIOException(full);
        }
    }
}
