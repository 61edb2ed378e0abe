package dev.graft.run;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.run.config.RecipeWriter;
import dev.graft.run.config.RunConfig;
import dev.graft.run.config.Sweep;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.checkpoints.RunLock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
 * Runs a sweep: each run in a process and a folder of its own, all on the same rows. Finished runs aren't repeated and interrupted ones
 * resume from their checkpoints, so the same command continues a sweep.
 *
 * @param folder the folder of the sweep
 * @param configs creates the config of a run from its settings by the names of options
 * @param program the command that starts {@code graft} in a new process
 */
public record SweepRun(
        Sweep sweep,
        Path folder,
        Function<Map<String, String>, RunConfig> configs,
        List<String> program,
        RunListener listener) {
    private static final int POLL_MILLIS = 200;

    /**
     * The summary of a sweep.
     *
     * @param complete true if all runs have finished
     */
    public record SweepSummary(List<Result> results, boolean complete) {
        public String json() {
            ArrayNode json = JsonNodeFactory.instance.arrayNode();
            results.forEach(result -> json.add(result.toJson()));
            return Json.pretty(json) + "\n";
        }
    }

    private record PlannedRun(String name, Map<String, String> settings, String recipe) {}

    /**
     * A run of a sweep.
     *
     * @param settings its values by the names of options
     * @param report the content of its {@code report.json}; null if it didn't finish
     * @param state its state, in words
     */
    public record Result(
            String name,
            Map<String, String> settings,
            @Nullable JsonNode report,
            String state) {
        public @Nullable Double score() {
            JsonNode value = report == null ? null : report.path("best").path("value");
            if (value != null && value.isNumber()) {
                return value.doubleValue();
            }
            return report != null && report.path("loss").isNumber()
                    ? (Double) report.path("loss").doubleValue()
                    : null;
        }

        public String metric() {
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

    /**
     * Runs the missing runs of the sweep.
     *
     * @throws InputException if the settings of a run are invalid; checked before any run starts
     */
    public SweepSummary run() {
        List<PlannedRun> planned = plan();
        try (RunLock lock = RunLock.acquire(folder);
                RunListener.Work saving = listener.onWork("Stopping the runs under way, which save checkpoints;"
                        + " Ctrl-C again ends at once, without them")) {
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
                SweepSummary outcome =
                        new SweepSummary(results, results.stream().allMatch(result -> result.state.equals("finished")));
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

    private List<PlannedRun> plan() {
        List<PlannedRun> planned = new ArrayList<>();
        SweepDataCheck data = new SweepDataCheck();
        int digits = Integer.toString(sweep.settings().size()).length();
        for (Map<String, String> settings : sweep.settings()) {
            String name = String.format(Locale.ROOT, "run-%0" + digits + "d", planned.size() + 1);
            Map<String, String> whole = new LinkedHashMap<>(settings);
            whole.put("output_dir", folder.resolve(name).toString());
            RunConfig config = configs.apply(whole);
            new RunPreparation(config, listener).check();
            String recipe = RecipeWriter.write(config, "a sweep, " + shown(settings));
            planned.add(new PlannedRun(name, settings, data.in(recipe, config)));
        }
        return planned;
    }

    private Path recipe(PlannedRun one) {
        return folder.resolve(one.name + ".yaml");
    }

    private void write(PlannedRun one) {
        try {
            if (Files.exists(recipe(one))) {
                SweepDataCheck.requireSame(Files.readString(recipe(one)), one.recipe, recipe(one));
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + recipe(one), e);
        }
        AtomicWrite.text(recipe(one), one.recipe);
    }

    private Result run(PlannedRun one, int all) throws IOException, InterruptedException {
        Path report = folder.resolve(one.name).resolve("report.json");
        long start = System.nanoTime();
        if (!Files.exists(report)) {
            if (listener.isStopRequested()) {
                return new Result(one.name, one.settings, null, "not started");
            }
            int code = await(start(one));
            if (code != 0 || !Files.exists(report)) {
                boolean stopped = listener.isStopRequested();
                String state = stopped ? "interrupted" : "failed: " + lastLine(log(one));
                listener.onNotice(one.name + " of " + all + " (" + shown(one.settings) + "): " + state);
                return new Result(one.name, one.settings, null, state);
            }
        }
        Result result = new Result(one.name, one.settings, Json.read(report), "finished");
        listener.onNotice(one.name + " of " + all + " (" + shown(one.settings) + "): " + result.metric() + " "
                + shown(result.score()) + ", " + UnitFormat.duration(Duration.ofNanos(System.nanoTime() - start)));
        return result;
    }

    private Path log(PlannedRun one) {
        return folder.resolve(one.name + ".log");
    }

    private Process start(PlannedRun one) throws IOException {
        List<String> command = new ArrayList<>(program);
        command.addAll(List.of("train", recipe(one).toString()));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log(one).toFile()))
                .start();
    }

    private int await(Process process) throws InterruptedException {
        try {
            boolean told = false;
            while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                if (listener.isStopRequested() && !told) {
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
}
