package dev.graft.serve;

import java.util.HashMap;
import java.util.Map;

/** OpenAI's {@code logit_bias}, {@code presence_penalty} and {@code frequency_penalty}, which count what was written, not the prompt. */
public final class Bias implements Steering {
    private final Map<Integer, Double> bias;
    private final double presence;
    private final double frequency;
    private final Map<Integer, Integer> counts = new HashMap<>();

    /**
     * What is added to logits, and taken away from those of tokens that were written.
     *
     * @param bias by token id
     * @param presence for a token that was written
     * @param frequency for each time that it was
     */
    public Bias(Map<Integer, Double> bias, double presence, double frequency) {
        this.bias = bias;
        this.presence = presence;
        this.frequency = frequency;
    }

    @Override
    public void steer(float[] logits) {
        bias.forEach((id, value) -> {
            if (id < logits.length) {
                logits[id] += value.floatValue();
            }
        });
        counts.forEach((id, count) -> logits[id] -= (float) (presence + frequency * count));
    }

    @Override
    public void took(int id) {
        counts.merge(id, 1, Integer::sum);
    }
}
