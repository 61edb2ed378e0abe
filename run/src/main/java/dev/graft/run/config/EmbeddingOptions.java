package dev.graft.run.config;

import dev.graft.train.data.TrainingObjective.EmbeddingLossType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The options of embedding losses. */
public record EmbeddingOptions(
        @ConfigOption(
                value = "Loss: in_batch_negatives for pairs and triplets, triplet for triplets, cosine for pairs with a"
                        + " score",
                unset = "in_batch_negatives, or cosine where rows have a score",
                example = "triplet")
        @Nullable
        EmbeddingLossType loss,

        @ConfigOption(value = "Factor of the cosines with in_batch_negatives", unset = "20", example = "50", above = 0)
        @Nullable
        Double scale,

        @ConfigOption(
                value = "Distance by which triplet wants negatives farther than positives",
                unset = "5",
                example = "1",
                aliases = {"triplet_margin"},
                above = 0)
        @Nullable
        Double margin,

        @ConfigOption(
                value = "Matryoshka sizes: the loss is summed over vectors cut to each of them",
                unset = "whole vectors",
                example = "[384, 128, 64]",
                aliases = {"matryoshka_dims"})
        @Nullable
        List<Integer> sizes) {}
