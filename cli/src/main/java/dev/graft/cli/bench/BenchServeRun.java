package dev.graft.cli.bench;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Table;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.serve.Adapters;
import dev.graft.serve.Ask;
import dev.graft.serve.Engine;
import dev.graft.serve.FolderStore;
import dev.graft.serve.Listener;
import dev.graft.serve.Served;
import dev.graft.serve.Token;
import dev.graft.tensor.Aside;
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

/** One run of {@code graft bench serve}. */
record BenchServeRun(String model, Work work, @Nullable Peer peer, ComputeOptions compute, PrintWriter err) {

    /** New tokens that are written before each measurement; the peer's script writes as many. */
    private static final int START = 4;

    /** For how many texts a row is used where texts come and go. */
    private static final int TURNS = 4;

    /**
     * How much is done.
     *
     * @param hot how many adapters texts have that come and go, in no order
     * @param registered how many there are to choose from, at least as many
     */
    record Work(
            int rows,
            int adapters,
            int hot,
            int registered,
            int rank,
            int prompt,
            int fresh,
            int warmup,
            int repeats) {}

    /**
     * What it took.
     *
     * @param tokens new tokens of all rows a second, by mode
     * @param peers those of PEFT, by mode; empty where it wasn't asked
     * @param first milliseconds to a row's first token where rows differ in their adapters, the slowest of twenty
     * @param load milliseconds to load an adapter, the median
     * @param memory bytes that an adapter in memory takes, to the bytes of its parameters; null where one alone tells nothing
     */
    record Figures(
            String dtype,
            Work work,
            Map<String, Spread> tokens,
            Map<String, Spread> peers,
            double first,
            double load,
            @Nullable Double memory) {
        String json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("dtype", dtype);
            json.put("rows", work.rows);
            json.put("adapters", work.adapters);
            json.put("hot", work.hot);
            json.put("registered", work.registered);
            json.put("rank", work.rank);
            ObjectNode modes = json.putObject("new_tokens_per_s");
            tokens.forEach((mode, rates) -> modes.put(mode, rates.median()));
            if (!peers.isEmpty()) {
                ObjectNode others = json.putObject("peft_new_tokens_per_s");
                peers.forEach((mode, rates) -> others.put(mode, rates.median()));
            }
            json.put("first_token_p95_ms", first);
            json.put("adapter_load_ms", load);
            json.put("adapter_memory_to_bytes", memory);
            return Json.compact(json);
        }

        String text() {
            Table table = peers.isEmpty()
                    ? new Table("rows with", "new tokens/s", "of the base")
                    : new Table("rows with", "new tokens/s", "of the base", "PEFT", "times PEFT");
            tokens.forEach((mode, rates) -> {
                List<String> cells = new ArrayList<>(
                        List.of(mode, rates.shown(1), number(100 * rates.median() / tokens("base")) + " %"));
                Spread others = peers.get(mode);
                if (!peers.isEmpty()) {
                    cells.add(others == null ? "" : others.shown(1));
                    cells.add(
                            others == null ? "" : String.format(Locale.ROOT, "%.2f", rates.median() / others.median()));
                }
                table.row(cells.toArray());
            });
            return table.toString().stripTrailing() + "\n" + work.hot + " hot adapters of " + work.registered + " cost "
                    + number(100 * (tokens("one, in turn") / tokens("hot, in turn") - 1))
                    + " % more time than one where texts come and go\n" + number(first)
                    + " ms to the first token (95th percentile, mixed), " + number(load)
                    + " ms to load an adapter"
                    + (memory == null ? "" : String.format(Locale.ROOT, ", which takes %.2f times its bytes", memory));
        }

        private double tokens(String mode) {
            return Objects.requireNonNull(tokens.get(mode)).median();
        }

        private static String number(double value) {
            return String.format(Locale.ROOT, "%.1f", value);
        }
    }

    Figures measure() {
        Base base = Aside.run(this::base);
        if (peer != null
                && base.sites().stream().anyMatch(site -> site instanceof Linear layer && layer.isQuantized())) {
            throw new InputException(
                    "--beside-peft compares whole bases, and this one is quantised; leave one of them out");
        }
        Path folder = folder();
        Path store = folder.resolve("adapters");
        try {
            Adapter example =
                    Adapter.create(base, new BenchMethod("lora", "all-linear", work.rank).on(base, err::println), 1);
            for (int i = 0; i < work.adapters; i++) {
                example.save(store.resolve("a" + i));
            }
            Adapters adapters = new Adapters(base, "base", new FolderStore(store));
            adapters.lease("a0");
            long before = resident();
            List<Served> served = new ArrayList<>();
            for (int i = 0; i < work.adapters; i++) {
                served.add(adapters.lease("a" + i).served());
            }
            long bytes =
                    adapters.loaded().stream().mapToLong(Adapters.Loaded::bytes).sum();
            Double memory = work.adapters == 1
                    ? null
                    : Double.valueOf((double) (resident() - before) / (bytes / work.adapters * (work.adapters - 1)));
            double[] loads = adapters.loaded().stream()
                    .mapToDouble(loaded -> loaded.nanos() / 1e6)
                    .sorted()
                    .toArray();
            register(example, store);
            List<Served> hot = new ArrayList<>();
            for (int i = 0; i < work.hot; i++) {
                hot.add(adapters.lease("a" + i).served());
            }
            Path model = folder.resolve("model");
            if (peer != null) {
                base.save(model);
            }
            return write(base, served, hot, model, loads[loads.length / 2], memory);
        } finally {
            AtomicWrite.delete(folder);
        }
    }

    /** Writes the others; those that nobody asks for have the files of some. */
    private void register(Adapter example, Path folder) {
        int used = Math.max(work.adapters, work.hot);
        for (int i = work.adapters; i < used; i++) {
            example.save(folder.resolve("a" + i));
        }
        for (int i = used; i < work.registered; i++) {
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
        Base base =
                Loading.of(model, List.of(), new HeadOptions(), compute, err).base();
        base.pack();
        return base;
    }

    /** @param saved the base as a Hugging Face folder, for the peer */
    private Figures write(
            Base base, List<Served> served, List<Served> hot, Path saved, double load, @Nullable Double memory) {
        List<Double> firsts = new ArrayList<>();
        Map<String, List<Double>> rates = new LinkedHashMap<>();
        Map<String, List<Double>> others = new LinkedHashMap<>();
        int places = (work.rows + 7) / 8 * 8;
        try (Engine engine = new Engine(base, null, new Engine.Options(places, TURNS * work.rows, 128, 0))) {
            List<Served> one = served.subList(0, 1);
            Map<String, Texts> modes = new LinkedHashMap<>();
            modes.put("base", alike(List.of(Served.base("base")), work.fresh));
            modes.put("one", alike(one, work.fresh));
            modes.put("mixed", alike(served, work.fresh));
            modes.put("one, in turn", inTurn(one));
            modes.put("hot, in turn", inTurn(hot));
            for (int round = 0; round < work.warmup; round++) {
                modes.values().forEach(texts -> run(engine, base, texts, null));
            }
            for (int round = 0; round < work.repeats; round++) {
                modes.forEach((mode, texts) -> {
                    run(engine, base, alike(texts.adapters, Math.min(work.fresh, START)), null);
                    double seconds = run(engine, base, texts, mode.equals("mixed") ? firsts : null);
                    int tokens =
                            texts.lengths.stream().mapToInt(Integer::intValue).sum();
                    rates.computeIfAbsent(mode, fresh -> new ArrayList<>()).add(tokens / seconds);
                });
                if (peer != null) {
                    peer.generate(saved, arguments(base))
                            .forEach((mode, rate) -> others.computeIfAbsent(mode, fresh -> new ArrayList<>())
                                    .add(rate));
                }
            }
        }
        double[] sorted =
                firsts.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        double first = sorted[(int) Math.ceil(0.95 * sorted.length) - 1];
        return new Figures(Loading.dtype(base), work, spreads(rates), spreads(others), first, load, memory);
    }

    private static Map<String, Spread> spreads(Map<String, List<Double>> rates) {
        Map<String, Spread> spreads = new LinkedHashMap<>();
        rates.forEach((mode, all) -> spreads.put(mode, Spread.of(all)));
        return spreads;
    }

    /** What the peer's script is told. */
    private List<String> arguments(Base base) {
        return List.of(
                "--dtype=" + (base.numerics().equals(Numerics.BF16) ? "bfloat16" : "float32"),
                "--rows=" + work.rows,
                "--adapters=" + work.adapters,
                "--rank=" + work.rank,
                "--prompt=" + work.prompt,
                "--new=" + work.fresh,
                "--threads=" + Natives.threads());
    }

    /**
     * What is written.
     *
     * @param adapters which the texts have in turn
     * @param lengths new tokens of each text
     */
    private record Texts(List<Served> adapters, List<Integer> lengths) {}

    /** A text for each row, all of as many new tokens. */
    private Texts alike(List<Served> adapters, int tokens) {
        return new Texts(adapters, Collections.nCopies(work.rows, tokens));
    }

    /** Several texts for each row, from half as long to half as much longer, with adapters in no order. */
    private Texts inTurn(List<Served> adapters) {
        List<Served> shuffled = new ArrayList<>(adapters);
        Collections.shuffle(shuffled, new Random(3));
        return new Texts(
                shuffled,
                new Random(2)
                        .ints(TURNS * work.rows, (work.fresh + 1) / 2, work.fresh + work.fresh / 2 + 1)
                        .boxed()
                        .toList());
    }

    /** Writes texts, as many at once as there are rows; returns how many seconds it took. */
    private double run(Engine engine, Base base, Texts texts, @Nullable List<Double> firsts) {
        Random random = new Random(1);
        CountDownLatch open = new CountDownLatch(texts.lengths.size());
        List<Ask> asks = new ArrayList<>();
        List<Listener> listeners = new ArrayList<>();
        double[] times = new double[texts.lengths.size()];
        RuntimeException[] failure = new RuntimeException[1];
        long start = System.nanoTime();
        for (int i = 0; i < times.length; i++) {
            int[] prompt =
                    random.ints(work.prompt, 10, base.backbone().vocabSize()).toArray();
            GenerateOptions options = GenerateOptions.DEFAULT
                    .withMaxNewTokens(texts.lengths.get(i))
                    .withEndTokens(Set.of());
            asks.add(Ask.of(prompt, options, texts.adapters.get(i % texts.adapters.size())));
            int row = i;
            listeners.add(new Listener() {
                @Override
                public void token(Token token, String text) {
                    times[row] = times[row] == 0 ? (System.nanoTime() - start) / 1e6 : times[row];
                }

                @Override
                public void ended(Ended ended) {
                    open.countDown();
                }

                @Override
                public void failed(RuntimeException why) {
                    failure[0] = why;
                    open.countDown();
                }
            });
        }
        engine.submit(asks, listeners);
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
