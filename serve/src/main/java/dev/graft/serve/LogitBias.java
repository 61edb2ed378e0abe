package dev.graft.serve;

import java.util.HashMap;
import java.util.Map;

/**
 * OpenAI's {@code logit_bias}, {@code presence_penalty} and {@code frequency_penalty}. The penalties count generated tokens, not the
 * prompt.
 */
public final class LogitBias implements LogitsProcessor {
    private final Map<Integer, Double> bias;
    private final double presencePenalty;
    private final double frequencyPenalty;
    private final Map<Integer, Integer> counts = new HashMap<>();

    /**
     * Creates a bias of logits with penalties for generated tokens.
     *
     * @param bias the value to add to a logit, by token id
     * @param presence the value to subtract once for a token that was generated
     * @param frequency the value to subtract for each occurrence
     */
    public LogitBias(Map<Integer, Double> bias, double presence, double frequency) {
        this.bias = bias;
        this.presencePenalty = presence;
        this.frequencyPenalty = frequency;
    }

    @Override
    public void process(float[] logits) {
        bias.forEach((id, value) -> {
            if (id < logits.length) {
                logits[id] += value.floatValue();
            }
        });
        counts.forEach((id, count) -> logits[id] -= (float) (presencePenalty + frequencyPenalty * count));
    }

    @Override
    public void onToken(int id) {
        counts.merge(id, 1, Integer::sum);
    }
}
