package dev.graft.eval.demo;

import dev.graft.eval.predict.TextClassifier;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Loads a saved adapter in a new Java process, which shares only files with this one, and computes the logits of texts there.
 */
public final class FreshProcess {
    private static final String LOGITS = "logits";

    private FreshProcess() {}

    /**
     * Runs in the new process.
     *
     * @param arguments the file with the task and the file to write
     */
    public static void main(String[] arguments) {
        Fields request = Fields.read(Path.of(arguments[0]));
        Natives.threads(request.integer("threads"));
        Base.Options options = Base.Options.of(Task.SEQ_CLS)
                .withLabels(request.strings("labels"))
                .withNumerics(Numerics.of(request.string("dtype")));
        Base base = Base.load(request.string("model"), options);
        Adapter adapter = Adapter.load(base, Path.of(request.string("adapter")));
        float[][] logits = new TextClassifier(base, Selection.of(adapter)).logits(request.strings("texts"));
        int classes = base.labels().size();
        float[] values = new float[logits.length * classes];
        for (int i = 0; i < logits.length; i++) {
            System.arraycopy(logits[i], 0, values, i * classes, classes);
        }
        Safetensors.write(
                Path.of(arguments[1]), List.of(TensorData.of(LOGITS, values, logits.length, classes)), Map.of());
    }

    /** Computes logits {@code [text][class]} in a new process with the adapter of that folder. */
    static float[][] logits(String model, Base base, Path adapter, List<String> texts, BooleanSupplier interrupted) {
        try {
            Path work = Files.createTempDirectory("graft-demo");
            try {
                Path request = work.resolve("request.json");
                AtomicWrite.text(request, Json.compact(request(model, base, adapter, texts)));
                Path answer = work.resolve("logits.safetensors");
                start(request, answer, work.resolve("log"), interrupted);
                return read(answer, base.labels().size());
            } finally {
                delete(work);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run a fresh process: " + e.getMessage(), e);
        }
    }

    private static ObjectNode request(String model, Base base, Path adapter, List<String> texts) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", model);
        json.put("dtype", base.numerics().equals(Numerics.BF16) ? "bf16" : "fp32");
        json.put("threads", Natives.threads());
        json.put("adapter", adapter.toAbsolutePath().toString());
        ArrayNode labels = json.putArray("labels");
        base.labels().forEach(labels::add);
        ArrayNode all = json.putArray("texts");
        texts.forEach(all::add);
        return json;
    }

    private static void start(Path request, Path answer, Path log, BooleanSupplier interrupted) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            // An agent belongs to the process that it was given to.
            if (!option.startsWith("-javaagent") && !option.startsWith("-agent")) {
                command.add(option);
            }
        }
        command.addAll(List.of(
                "-cp",
                System.getProperty("java.class.path"),
                FreshProcess.class.getName(),
                request.toString(),
                answer.toString()));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            while (!process.waitFor(100, TimeUnit.MILLISECONDS)) {
                if (interrupted.getAsBoolean()) {
                    throw new CancellationException("interrupted while a fresh process loads the adapter");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted while a fresh process loads the adapter");
        } finally {
            process.destroy();
        }
        if (process.exitValue() != 0) {
            throw new IllegalStateException(
                    "the fresh process that loads the adapter ended with exit code " + process.exitValue() + ": "
                            + Files.readString(log, StandardCharsets.UTF_8).strip());
        }
    }

    private static float[][] read(Path file, int classes) {
        try (Safetensors answer = Safetensors.open(file)) {
            float[] values = new TensorData(answer.info(LOGITS), answer.bytes(LOGITS)).floats();
            float[][] logits = new float[values.length / classes][classes];
            for (int i = 0; i < logits.length; i++) {
                System.arraycopy(values, i * classes, logits[i], 0, classes);
            }
            return logits;
        }
    }

    private static void delete(Path work) throws IOException {
        try (var files = Files.list(work)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(work);
    }
}
