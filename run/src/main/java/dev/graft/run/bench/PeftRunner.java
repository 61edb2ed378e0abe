package dev.graft.run.bench;

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
 * Runs the scripts for Hugging Face PEFT with a Python interpreter.
 *
 * @param python the interpreter
 * @param versions the versions of Python and of the libraries that decide its speed
 */
public record PeftRunner(String python, Path scripts, Map<String, String> versions) {
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
     * Finds an interpreter: the given one, else that of the variable {@code GRAFT_PYTHON}, else {@code python3}.
     *
     * @throws InputException if it has no PEFT, or the scripts are missing
     */
    public static PeftRunner find(@Nullable String given, Map<String, String> environment, Path scripts) {
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
        } catch (FailedProgramException e) {
            String last = e.lines().size() < 2
                    ? String.valueOf(e.getMessage())
                    : e.lines().get(e.lines().size() - 1);
            throw new InputException(withoutPeft(python, last), e);
        } catch (UncheckedIOException e) {
            throw new InputException(withoutPeft(python, String.valueOf(e.getMessage())), e);
        }
        Map<String, String> versions = new LinkedHashMap<>();
        Json.parse(python, printed)
                .properties()
                .forEach(version ->
                        versions.put(version.getKey(), version.getValue().stringValue()));
        return new PeftRunner(python, scripts, versions);
    }

    private static String withoutPeft(String python, String reason) {
        return python + " is no Python with Hugging Face PEFT (" + reason + ")" + ADVICE;
    }

    /** It gets the environment that it would have had from a shell: without the launcher's settings of malloc, oneDNN and waiting threads. */
    private static BenchmarkProgram program(String python) {
        return new BenchmarkProgram(
                List.of(python),
                List.of(
                        "OMP_NUM_THREADS",
                        "GOMP_SPINCOUNT",
                        "GLIBC_TUNABLES",
                        "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
                        "LRU_CACHE_CAPACITY"));
    }

    /** Trains as its script's arguments say. */
    BenchmarkProgram.Run train(List<String> arguments) {
        return run(TRAIN, arguments);
    }

    /** Writes rows for a vocabulary of that size. */
    void writeWorkload(WorkloadTask task, int vocabulary, Path file) {
        run(WORKLOAD, List.of("--task", task.toString(), "--vocab", "" + vocabulary, "--out", file.toString()));
    }

    /**
     * Returns the generated tokens per second of all rows, with the base ({@code base}) and with an adapter of its own for each row
     * ({@code mixed}).
     *
     * @param model a Hugging Face model folder
     */
    public Map<String, Double> generate(Path model, List<String> arguments) {
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

    private BenchmarkProgram.Run run(String script, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of(scripts.resolve(script).toString()));
        all.addAll(arguments);
        return program(python).run(all);
    }
}
