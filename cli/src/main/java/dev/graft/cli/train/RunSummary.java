package dev.graft.cli.train;

import dev.graft.eval.tasks.Scores;
import dev.graft.formats.Json;
import dev.graft.run.RunResult;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.TrainResult;
import dev.graft.train.TrainingEvent.EndReason;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The result of a run, for programs and for people. */
record RunSummary(RunResult result) {

    String shown(boolean json) {
        return json
                ? Json.pretty(result.report()) + "\n"
                : result.training().reason() == EndReason.INTERRUPTED ? "" : text();
    }

    private String text() {
        TrainResult training = result.training();
        StringBuilder text = new StringBuilder("\n");
        line(text, "validation before", result.before());
        line(text, "validation", result.after());
        line(text, "test", result.test());
        text.append(String.format(
                Locale.ROOT,
                "%,d steps in %s (%s)%n",
                training.steps(),
                UnitFormat.duration(training.elapsed()),
                training.reason().name().toLowerCase(Locale.ROOT).replace('_', ' ')));
        text.append("adapter  ").append(training.adapter()).append('\n');
        text.append("report   ").append(result.folder().resolve("report.html")).append('\n');
        return text.toString();
    }

    private static void line(StringBuilder text, String where, @Nullable Scores scores) {
        if (scores == null) {
            return;
        }
        text.append(where).append(": ").append(ScoreLine.of(scores)).append('\n');
    }
}
