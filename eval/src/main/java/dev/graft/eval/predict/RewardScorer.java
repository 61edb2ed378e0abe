package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Example;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Prediction;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Scores answers by a reward model. Rows are prompts with completions, or conversations that end with the answer, encoded as in training.
 *
 * @param base a base with a sequence head of one output
 * @param chat called for the chat template if a row is a conversation
 * @param batchSize the number of rows in a forward pass
 */
public record RewardScorer(Base base, Supplier<Chat> chat, int batchSize) {

    /** Returns the reward of each row; a long row is cut at its end. */
    public List<Double> score(Rows rows, Hooks hooks) {
        CausalEncoder answers = CausalEncoder.forPrompts(
                base.tokenizer(), chat, LossOn.COMPLETION, base.backbone().vocabSize());
        RowEncoder encoder = (index, row, place, maxLength) -> {
            Example answer = answers.encode(index, row, place, maxLength);
            return new Example(index, answer.ids(), null, new Target.Score(0));
        };
        Examples examples = Examples.encode(rows, encoder, base.backbone().maxPositions(), Overflow.TRUNCATE);
        double[] rewards = new double[rows.size()];
        new Predictor(base, examples, batchSize)
                .predict(hooks, prediction -> rewards[prediction.row()] = ((Prediction.Value) prediction).predicted());
        List<Double> list = new ArrayList<>();
        for (double reward : rewards) {
            list.add(reward);
        }
        return list;
    }
}
