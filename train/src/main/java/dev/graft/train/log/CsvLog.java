package dev.graft.train.log;

import dev.graft.formats.InputException;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Writes {@code steps.csv} with a line for each optimiser step and {@code evaluations.csv} with a line for each evaluation. The metrics of
 * the first evaluation are the columns. A resumed run removes the lines after its checkpoint and appends.
 */
public final class CsvLog implements TrainingListener {
    private static final String STEPS =
            "step,epoch,loss,grad_norm,learning_rate,tokens,tokens_per_s,memory_bytes,elapsed_s";

    private final Path folder;
    private boolean headed;
    private @Nullable LogFile steps;
    private @Nullable LogFile evaluations;

    /** Creates a log in a folder, which is created when the run starts. */
    public CsvLog(Path folder) {
        this.folder = folder;
    }

    @Override
    public void onStart(Started started) {
        steps = open("steps.csv", started.step());
        evaluations = open("evaluations.csv", started.step());
    }

    private LogFile open(String name, long resumed) {
        return new LogFile(folder.resolve(name), line -> resumed > 0 && step(line) <= resumed);
    }

    private static long step(String line) {
        String first = line.substring(0, Math.max(0, line.indexOf(',')));
        return first.equals("step") ? 0 : first.matches("[0-9]{1,18}") ? Long.parseLong(first) : Long.MAX_VALUE;
    }

    private static void header(LogFile log, String columns) {
        String there = log.firstLine();
        if (there == null) {
            log.line(columns);
        } else if (!there.equals(columns)) {
            throw new InputException(log + " has the columns " + there + ", this run would write " + columns
                    + ": resume with the same settings, or move the file away");
        }
    }

    @Override
    public void onStep(Stepped stepped) {
        if (steps != null) {
            if (!headed) {
                headed = true;
                header(steps, columns(stepped));
            }
            steps.line(
                    stepped.step() + "," + stepped.epoch() + "," + stepped.loss() + "," + stepped.gradientNorm() + ","
                            + stepped.learningRate() + "," + stepped.tokens() + "," + stepped.tokensPerSecond() + ","
                            + stepped.memoryBytes() + "," + stepped.elapsed().toMillis() / 1000.0
                            + stepped.metrics().values().stream()
                                    .map(value -> "," + value)
                                    .collect(Collectors.joining()));
        }
    }

    private static String columns(Stepped stepped) {
        return stepped.metrics().isEmpty()
                ? STEPS
                : STEPS + "," + String.join(",", stepped.metrics().keySet());
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        if (evaluations != null) {
            header(
                    evaluations,
                    "step,epoch," + String.join(",", evaluated.metrics().keySet()));
            evaluations.line(evaluated.metrics().values().stream()
                    .map(String::valueOf)
                    .collect(Collectors.joining(",", evaluated.step() + "," + evaluated.epoch() + ",", "")));
        }
    }

    @Override
    public void onEnd(Ended ended) {
        try {
            close(steps);
        } finally {
            close(evaluations);
        }
    }

    private static void close(@Nullable LogFile log) {
        if (log != null) {
            log.close();
        }
    }
}
