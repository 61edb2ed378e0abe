package dev.graft.train.log;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.train.TrainingEvent;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a JSON object a line for each event: {@code {"event":"step","step":20,"loss":1.25,...}}. NaN and infinite numbers, which JSON
 * lacks, are written as strings. A resumed run removes the lines after its checkpoint.
 */
public final class JsonLinesLog implements TrainingListener {
    private final Path file;
    private @Nullable LogFile log;

    public JsonLinesLog(Path file) {
        this.file = file;
    }

    @Override
    public void onStart(Started started) {
        log = new LogFile(file, line -> started.step() > 0 && step(line) <= started.step());
        ObjectNode event = event("start", started);
        event.put("total_steps", started.totalSteps());
        write(event);
    }

    private static long step(String line) {
        try {
            return Json.parse("log", line).path("step").asLong(Long.MAX_VALUE);
        } catch (InputException e) {
            return Long.MAX_VALUE;
        }
    }

    @Override
    public void onStep(Stepped stepped) {
        ObjectNode event = event("step", stepped);
        event.put("total_steps", stepped.totalSteps());
        number(event, "epoch", stepped.epoch());
        number(event, "loss", stepped.loss());
        number(event, "grad_norm", stepped.gradientNorm());
        number(event, "learning_rate", stepped.learningRate());
        event.put("tokens", stepped.tokens());
        number(event, "tokens_per_s", stepped.tokensPerSecond());
        event.put("memory_bytes", stepped.memoryBytes());
        number(event, "elapsed_s", seconds(stepped.elapsed()));
        stepped.metrics().forEach((name, value) -> number(event, name, value));
        write(event);
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        ObjectNode event = event("evaluate", evaluated);
        number(event, "epoch", evaluated.epoch());
        ObjectNode metrics = event.putObject("metrics");
        for (Map.Entry<String, Double> metric : evaluated.metrics().entrySet()) {
            number(metrics, metric.getKey(), metric.getValue());
        }
        event.put("best", evaluated.best());
        number(event, "took_s", seconds(evaluated.duration()));
        write(event);
    }

    @Override
    public void onSave(Saved saved) {
        ObjectNode event = event("save", saved);
        event.put("folder", saved.folder().toString());
        write(event);
    }

    @Override
    public void onEnd(Ended ended) {
        ObjectNode event = event("end", ended);
        event.put("reason", ended.reason().name().toLowerCase(Locale.ROOT));
        number(event, "elapsed_s", seconds(ended.elapsed()));
        write(event);
        if (log != null) {
            log.close();
        }
    }

    private static ObjectNode event(String name, TrainingEvent event) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("event", name);
        node.put("step", event.step());
        return node;
    }

    private static void number(ObjectNode node, String name, double value) {
        if (Double.isFinite(value)) {
            node.put(name, value);
        } else {
            node.put(name, Double.toString(value));
        }
    }

    private static double seconds(Duration duration) {
        return duration.toMillis() / 1000.0;
    }

    private void write(ObjectNode event) {
        if (log != null) {
            log.line(Json.compact(event));
        }
    }
}
