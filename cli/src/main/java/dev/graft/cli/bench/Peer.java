package dev.graft.cli.bench;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A Python with Hugging Face PEFT, and the scripts that it runs.
 *
 * @param versions of Python and of the libraries that decide its speed
 */
record Peer(String python, Path scripts, Map<String, String> versions) {
    private static final String TRAIN = "hf_peft_train.py";
    private static final String WORKLOAD = "make_workload.py";
    private static final String GENERATE = "hf_peft_generate.py";
    private static final String RATE = "new_tokens_per_s";
    private static final String VERSIONS = "import json, platform, peft, torch, transformers;"
            + "print(json.dumps({'python': platform.python_version(), 'torch': torch.__version__,"
            + " 'transformers': transformers.__version__, 'peft': peft.__version__}))";
    private static final String ADVICE = "; this makes one, to be given by --python target/peer/bin/python: "
            + "python3 -m venv target/peer && target/peer/bin/pip install peft";

    /**
     * Finds a Python: the one that is given, else that of the variable {@code GRAFT_PYTHON}, else {@code python3}.
     *
     * @throws InputException if it has no PEFT, or the scripts aren't there
     */
    static Peer find(@Nullable String given, Map<String, String> environment, Path scripts) {
        for (String script : List.of(TRAIN, WORKLOAD, GENERATE)) {
            if (!Files.isRegularFile(scripts.resolve(script))) {
                throw new InputException("there is no " + scripts.resolve(script)
                        + "; run this in Graft's folder, or give the folder of the scripts by --peer");
            }
        }
        String variable = environment.getOrDefault("GRAFT_PYTHON", "");
        String python = given != null ? given : variable.isBlank() ? "python3" : variable;
        String printed;
        try {
            printed = program(python).run(List.of("-c", VERSIONS)).last();
        } catch (IllegalStateException | UncheckedIOException e) {
            String reason = String.valueOf(e.getMessage());
            throw new InputException(
                    python + " is no Python with Hugging Face PEFT ("
                            + reason.substring(reason.lastIndexOf(" | ") < 0 ? 0 : reason.lastIndexOf(" | ") + 3) + ")"
                            + ADVICE,
                    e);
        }
        Map<String, String> versions = new LinkedHashMap<>();
        Json.parse(python, printed)
                .properties()
                .forEach(version ->
                        versions.put(version.getKey(), version.getValue().stringValue()));
        return new Peer(python, scripts, versions);
    }

    /** It gets the environment that it would have had from a shell: without the launcher's settings of malloc, oneDNN and waiting threads. */
    private static Program program(String python) {
        return new Program(
                List.of(python),
                List.of(
                        "OMP_NUM_THREADS",
                        "GOMP_SPINCOUNT",
                        "GLIBC_TUNABLES",
                        "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
                        "LRU_CACHE_CAPACITY"));
    }

    /** Trains as its script's arguments say. */
    Program.Run train(List<String> arguments) {
        return run(TRAIN, arguments);
    }

    /** Writes rows for a vocabulary of that size. */
    void writeWorkload(BenchTrainCommand.Goal goal, int vocabulary, Path file) {
        run(WORKLOAD, List.of("--task", goal.toString(), "--vocab", "" + vocabulary, "--out", file.toString()));
    }

    /**
     * New tokens a second of all rows, with the base ({@code base}) and with an adapter of its own for each row ({@code mixed}).
     *
     * @param model a Hugging Face folder
     */
    Map<String, Double> generate(Path model, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of("--modes=base,mixed", "--model=" + model));
        all.addAll(arguments);
        Map<String, Double> rates = new LinkedHashMap<>();
        for (String line : run(GENERATE, all).lines()) {
            JsonNode figures = Json.parse(GENERATE, line);
            if (figures.has(RATE)) {
                rates.put(figures.get("mode").stringValue(), figures.get(RATE).doubleValue());
            }
        }
        return rates;
    }

    private Program.Run run(String script, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of(scripts.resolve(script).toString()));
        all.addAll(arguments);
        return program(python).run(all);
    }
}
