package dev.graft.run.bench;

import dev.graft.train.bench.Timings;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/**
 * The saving by skipping: the same steps on the same batches from the same start, with and without, in turns.
 *
 * @param with all steps, warm-up included
 * @param without all steps, warm-up included
 * @param frozen parameters at the end
 */
record BackwardSkipResult(BackwardSkipOptions skipOptions, Timings with, Timings without, int warmup, int frozen) {

    /** Returns the ratio of a step's time with skipping to that without. */
    Spread ratio() {
        List<Double> ratios = new ArrayList<>();
        for (int i = warmup; i < with.steps().size(); i++) {
            ratios.add(with.steps().get(i).seconds() / without.steps().get(i).seconds());
        }
        return Spread.of(ratios);
    }

    /** The extra seconds of the costliest warm-up step, in which DropBP decides what to skip. */
    double lookSeconds() {
        double most = 0;
        for (int i = 1; i < warmup; i++) {
            most = Math.max(
                    most, with.steps().get(i).seconds() - without.steps().get(i).seconds());
        }
        return most;
    }

    void write(ObjectNode json) {
        if (skipOptions.autoFreeze() != null) {
            json.put("auto_freeze", skipOptions.autoFreeze());
            json.put("auto_freeze_steps", skipOptions.autoFreezeSteps());
            json.put("frozen_parameters", frozen);
        }
        if (skipOptions.dropBackward() != null) {
            json.put("drop_backward", skipOptions.dropBackward());
            json.put("look_s", lookSeconds());
        }
        json.put("time_ratio", ratio().median());
        Timings counted = without.after(warmup);
        ObjectNode whole = json.putObject("without");
        whole.put("tokens_per_s", counted.tokensPerSecond());
        whole.put("step_s_median", counted.medianSeconds());
        whole.put("loss_first", counted.first().loss());
        whole.put("loss_last", counted.last().loss());
    }

    String text() {
        Timings counted = without.after(warmup);
        String text = String.format(
                Locale.ROOT,
                "without %s: %.1f tokens/s, median step %.4fs, loss %.4f to %.4f%n"
                        + "a step takes %s of the time of the same one without",
                skipOptions.text(),
                counted.tokensPerSecond(),
                counted.medianSeconds(),
                counted.first().loss(),
                counted.last().loss(),
                ratio().format(2));
        if (skipOptions.autoFreeze() != null) {
            text += ", " + frozen + " parameters are frozen at the end";
        }
        if (skipOptions.dropBackward() != null) {
            text += String.format(Locale.ROOT, "; looking what to leave out took %.2fs, once in a run", lookSeconds());
        }
        return text;
    }
}
