package dev.graft.cli.train;

import dev.graft.cli.Interruption;
import dev.graft.cli.bench.Program;
import dev.graft.cli.config.ResolvedConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.config.Sweep;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Table;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.train.checkpoints.RunLock;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The runs of a sweep, each in a process and a folder of its own, all on the rows that it began with. What is finished is not run again,
 * and what was interrupted goes on from its checkpoint, so the same command goes on with a sweep.
 *
 * @param folder of the sweep
 * @param configs the run that settings give: by the names of options
 */
record SweepRun(Sweep sweep, Path folder, Function<Map<String, String>, RunConfig> configs, PrintWriter err) {
    private static final int POLL_MILLIS = 200;

    /** What a sweep came to. */
    record Outcome(List<Result> results, boolean complete) {
        String text() {
            return SweepRun.table(results) + (complete ? "" : "\nNot every run has finished; see its log.\n");
        }

        String json() {
            ArrayNode json = JsonNodeFactory.instance.arrayNode();
            results.forEach(result -> json.add(result.toJson()));
            return Json.pretty(json) + "\n";
        }
    }

    private record Planned(String name, Map<String, String> settings, String recipe) {}

    /** A run and its report, null if it didn't finish. */
    record Result(
            String name,
            Map<String, String> settings,
            @Nullable JsonNode report,
            String state) {
        private @Nullable Double score() {
            JsonNode value = report == null ? null : report.path("best").path("value");
            if (value != null && value.isNumber()) {
                return value.doubleValue();
            }
            return report != null && report.path("loss").isNumber()
                    ? (Double) report.path("loss").doubleValue()
                    : null;
        }

        private String metric() {
            return report == null ? "" : report.path("best").path("metric").asString("training loss");
        }

        /** Smaller is better. */
        private double order() {
            Double score = score();
            boolean greater = report != null
                    && report.path("best").path("greater_is_better").asBoolean(false);
            return score == null ? Double.POSITIVE_INFINITY : greater ? -score : score;
        }

        private ObjectNode toJson() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("run", name).put("state", state);
            ObjectNode values = json.putObject("settings");
            settings.forEach(values::put);
            Double score = score();
            if (score != null) {
                json.put("metric", metric()).put("value", score);
            }
            return json;
        }
    }

    /** @throws InputException if a run's settings can't be meant, before any starts */
    Outcome run() {
        List<Planned> planned = plan();
        try (RunLock lock = RunLock.acquire(folder);
                Interruption.Work saving =
                        Interruption.awaited(() -> err.println("Stopping the runs under way, which save checkpoints;"
                                + " Ctrl-C again ends at once, without them"))) {
            planned.forEach(this::write);
            ExecutorService workers = Executors.newFixedThreadPool(sweep.parallel());
            try {
                List<Future<Result>> running = new ArrayList<>();
                planned.forEach(one -> running.add(workers.submit(() -> run(one, planned.size()))));
                List<Result> results = new ArrayList<>();
                for (Future<Result> one : running) {
                    results.add(one.get());
                }
                results.sort(Comparator.comparingDouble(Result::order));
                Outcome outcome =
                        new Outcome(results, results.stream().allMatch(result -> result.state.equals("finished")));
                AtomicWrite.text(folder.resolve("sweep.json"), outcome.json());
                return outcome;
            } catch (ExecutionException e) {
                throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            } finally {
                workers.shutdownNow();
            }
        }
    }

    private List<Planned> plan() {
        List<Planned> planned = new ArrayList<>();
        SweepData data = new SweepData();
        int digits = Integer.toString(sweep.settings().size()).length();
        for (Map<String, String> settings : sweep.settings()) {
            String name = String.format(Locale.ROOT, "run-%0" + digits + "d", planned.size() + 1);
            Map<String, String> whole = new LinkedHashMap<>(settings);
            whole.put("output_dir", folder.resolve(name).toString());
            RunConfig config = configs.apply(whole);
            Prepared.check(config);
            String recipe = ResolvedConfig.write(config, "a sweep, " + shown(settings));
            planned.add(new Planned(name, settings, data.in(recipe, config)));
        }
        return planned;
    }

    private Path recipe(Planned one) {
        return folder.resolve(one.name + ".yaml");
    }

    private void write(Planned one) {
        try {
            if (Files.exists(recipe(one))) {
                SweepData.requireSame(Files.readString(recipe(one)), one.recipe, recipe(one));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + recipe(one) + ": " + e.getMessage(), e);
        }
        AtomicWrite.text(recipe(one), one.recipe);
    }

    private Result run(Planned one, int all) throws IOException, InterruptedException {
        Path report = folder.resolve(one.name).resolve("report.json");
        long start = System.nanoTime();
        if (!Files.exists(report)) {
            if (Interruption.requested()) {
                return new Result(one.name, one.settings, null, "not started");
            }
            int code = await(start(one));
            if (code != 0 || !Files.exists(report)) {
                boolean stopped = Interruption.requested();
                String state = stopped ? "interrupted" : "failed: " + lastLine(log(one));
                err.println(one.name + " of " + all + " (" + shown(one.settings) + "): " + state);
                return new Result(one.name, one.settings, null, state);
            }
        }
        Result result = new Result(one.name, one.settings, Json.read(report), "finished");
        err.println(one.name + " of " + all + " (" + shown(one.settings) + "): " + result.metric() + " "
                + shown(result.score()) + ", " + Figures.duration(Duration.ofNanos(System.nanoTime() - start)));
        return result;
    }

    private Path log(Planned one) {
        return folder.resolve(one.name + ".log");
    }

    private Process start(Planned one) throws IOException {
        List<String> command = new ArrayList<>(Program.graft().start());
        command.addAll(List.of("train", recipe(one).toString()));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log(one).toFile()))
                .start();
    }

    private static int await(Process process) throws InterruptedException {
        try {
            boolean told = false;
            while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                if (Interruption.requested() && !told) {
                    // Once: a second signal would end it without a checkpoint.
                    process.destroy();
                    told = true;
                }
            }
            return process.exitValue();
        } finally {
            process.destroy();
        }
    }

    private static String lastLine(Path log) throws IOException {
        List<String> lines =
                Files.readString(log, StandardCharsets.ISO_8859_1).lines().toList();
        return lines.isEmpty() ? "no output" : lines.get(lines.size() - 1);
    }

    private static String shown(Map<String, String> settings) {
        return String.join(
                " ",
                settings.entrySet().stream()
                        .map(setting -> setting.getKey() + "=" + setting.getValue())
                        .toList());
    }

    private static String shown(@Nullable Double score) {
        return score == null ? "" : String.format(Locale.ROOT, "%.4g", score);
    }

    /** The best run first. */
    private static String table(List<Result> results) {
        Set<String> names = new LinkedHashSet<>();
        results.forEach(result -> names.addAll(result.settings.keySet()));
        String metric = results.stream()
                .map(Result::metric)
                .filter(name -> !name.isEmpty())
                .findFirst()
                .orElse("score");
        List<String> header = new ArrayList<>(List.of("run"));
        header.addAll(names);
        header.addAll(List.of(metric, "seconds", ""));
        Table table = new Table(header.toArray(String[]::new));
        for (Result result : results) {
            List<Object> row = new ArrayList<>(List.of(result.name));
            names.forEach(name -> row.add(result.settings.getOrDefault(name, "")));
            JsonNode report = result.report;
            row.add(shown(result.score()));
            row.add(
                    report == null
                            ? ""
                            : String.format(
                                    Locale.ROOT, "%.0f", report.path("seconds").doubleValue()));
            row.add(result.state.equals("finished") ? "" : result.state);
            table.row(row.toArray());
        }
        return table.toString();
    }
}
