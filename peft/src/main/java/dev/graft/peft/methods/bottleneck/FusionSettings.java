package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.peft.methods.internal.AdapterHubFields;
import io.soabase.recordbuilder.core.RecordBuilder;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings of an AdapterFusion: AdapterHub's {@code AdapterFusionConfig}.
 *
 * @param queryBeforeNorm whether queries are computed from the block's output instead of the adapters' input
 * @param valueFirst whether V is applied before the weighted sum
 * @param identity whether V starts at the identity
 * @param regularised whether training penalises the distance of V from the identity
 * @param residualFirst whether r is added to each aᵢ, keys included, in place of the sum
 * @param temperature whether scores are divided by a T that falls from 50 to 1 in training, by 0.05 in each step
 * @param dropout the dropout of the scores, in training; null for that of the base's attention
 */
@RecordBuilder
public record FusionSettings(
        boolean query,
        boolean key,
        boolean value,
        boolean queryBeforeNorm,
        boolean valueFirst,
        boolean identity,
        boolean regularised,
        boolean residualFirst,
        boolean temperature,
        @Nullable Double dropout)
        implements FusionSettingsBuilder.With {
    /** AdapterHub's default. */
    public static final FusionSettings DYNAMIC = FusionSettingsBuilder.builder()
            .query(true)
            .key(true)
            .value(true)
            .valueFirst(true)
            .identity(true)
            .regularised(true)
            .build();

    /** Settings without V. */
    public static final FusionSettings STATIC = FusionSettingsBuilder.builder()
            .query(true)
            .key(true)
            .valueFirst(true)
            .build();

    public FusionSettings {
        if (!query && !key && !value) {
            throw new InputException("query, key and value are all false: there is nothing to train");
        }
        if (dropout != null) {
            AdapterHubFields.requireDropout("dropout_prob", dropout);
        }
    }

    static FusionSettings read(Fields f) {
        return new FusionSettings(
                f.bool("query", true),
                f.bool("key", true),
                f.bool("value", true),
                f.bool("query_before_ln", false),
                f.bool("value_before_softmax", true),
                f.bool("value_initialized", true),
                f.bool("regularization", true),
                f.bool("residual_before", false),
                f.bool("temperature", false),
                f.numberOrNull("dropout_prob"));
    }

    void write(ObjectNode c) {
        c.put("query", query);
        c.put("key", key);
        c.put("value", value);
        c.put("query_before_ln", queryBeforeNorm);
        c.put("value_before_softmax", valueFirst);
        c.put("value_initialized", identity);
        c.put("regularization", regularised);
        c.put("residual_before", residualFirst);
        c.put("temperature", temperature);
        c.put("dropout_prob", dropout);
    }
}
