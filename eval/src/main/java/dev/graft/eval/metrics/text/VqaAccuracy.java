package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.List;

/**
 * The accuracy of visual question answering (Antol et al. 2015): an answer counts min(agreeing people / 3, 1), averaged over
 * every choice of all people but one. Answers are compared in SQuAD's normal form.
 */
public final class VqaAccuracy implements Metric<TextPrediction> {

    private double sum;
    private long rows;

    @Override
    public String name() {
        return "vqa_accuracy";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    /** @throws IllegalArgumentException if fewer than two people answered */
    @Override
    public void update(TextPrediction row) {
        List<String> answers = row.references();
        if (answers.size() < 2) {
            throw new IllegalArgumentException(
                    "a question has " + answers.size() + " answer, expected those of several people (10 in VQA)");
        }
        String prediction = SquadScore.normalise(row.prediction());
        long agreeing = answers.stream()
                .filter(answer -> SquadScore.normalise(answer).equals(prediction))
                .count();
        double withOne = Math.min((agreeing - 1) / 3.0, 1);
        double without = Math.min(agreeing / 3.0, 1);
        sum += (agreeing * withOne + (answers.size() - agreeing) * without) / answers.size();
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return sum / rows;
    }
}
