package dev.graft.cli.eval;

import dev.graft.train.data.LossOn;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The scored tokens of each row.
 *
 * @param lossOn the tokens of a causal row; null for other rows, which have one answer
 * @param maxLength the longest row in tokens
 */
record ScoredTokens(@Nullable LossOn lossOn, int maxLength) {
    LossOn lossOnOrDefault() {
        return lossOn == null ? LossOn.COMPLETION : lossOn;
    }

    void addTo(ObjectNode json) {
        if (lossOn != null) {
            json.put("loss_on", lossOn.name().toLowerCase(Locale.ROOT));
            json.put("max_seq_length", maxLength);
        }
    }

    /** After the rows that were scored. */
    String text() {
        if (lossOn == null) {
            return "";
        }
        String counted = switch (lossOn) {
            case COMPLETION -> "the last answer counts";
            case ASSISTANT -> "every answer counts";
            case ALL -> "every token counts";
        };
        return ", of at most " + maxLength + " tokens; " + counted + " (loss_on "
                + lossOn.name().toLowerCase(Locale.ROOT) + ")";
    }
}
