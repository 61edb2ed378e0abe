package dev.graft.cli.train;

import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.RunStatus;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.util.Locale;
import java.util.stream.Collectors;

/** Shows the progress of a training run in a {@link ProgressLine}. */
public record TrainingProgressLine(ProgressLine line) implements TrainingListener {

    @Override
    public void onStart(Started started) {
        started.rejected().forEach(why -> line.print("Warning: passed over a damaged checkpoint: " + why));
        if (started.resumed() != null) {
            line.print("Resuming at step " + started.step() + " of " + started.totalSteps() + " from "
                    + started.resumed());
        }
    }

    @Override
    public void onStep(Stepped stepped) {
        line.update(RunStatus.of(stepped));
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        line.print("step " + evaluated.step() + ", validation: " + metrics(evaluated) + ", "
                + UnitFormat.duration(evaluated.duration()) + (evaluated.best() ? " (best so far)" : ""));
    }

    private static String metrics(Evaluated evaluated) {
        return evaluated.metrics().entrySet().stream()
                .filter(metric -> !metric.getKey().matches(".*(precision|recall)"))
                .map(metric -> String.format(Locale.ROOT, "%s %.4g", metric.getKey(), metric.getValue()))
                .collect(Collectors.joining(", "));
    }

    @Override
    public void onSave(Saved saved) {
        line.print("saved " + saved.folder());
    }
}
