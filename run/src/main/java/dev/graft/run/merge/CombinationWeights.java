package dev.graft.run.merge;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.eval.weights.AdapterSoup;
import dev.graft.eval.weights.LoraHub;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.files.Dataset;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The source of the weights of combined adapters.
 *
 * @param given the weights of the user, or of the combination
 * @param hub finds weights from a few rows; null for another source
 * @param soup chooses adapters by the similarity of texts; null for another source
 * @param data a few rows of the target task; null if the weights are given
 * @param trained for a soup, rows that each adapter was trained on
 */
@RecordBuilder
public record CombinationWeights(
        List<Double> given,
        @Nullable LoraHub hub,
        @Nullable AdapterSoup soup,
        @Nullable Path data,
        List<Path> trained) implements CombinationWeightsBuilder.With {
    private static final int BATCH = 8;
    private static final int LENGTH = 1024;

    public static CombinationWeights of(List<Double> given) {
        return CombinationWeightsBuilder.builder()
                .given(given)
                .trained(List.of())
                .build();
    }

    /** Determines the weights, and adds the search's results to the report. */
    List<Double> of(LoadedModel loaded, ObjectNode report, RunListener listener) {
        if (data == null) {
            return given;
        }
        if (hub != null) {
            try (Dataset rows = Dataset.open(data, DataOptions.DETECT)) {
                LoraHub.LearnedWeights learned = hub.choose(loaded.adapters(), examples(loaded, rows), BATCH);
                report.put("few_shot_loss", learned.loss()).put("few_shot_loss_of_base", learned.baseLoss());
                listener.onNotice(String.format(
                        Locale.ROOT,
                        "lorahub: loss of %d rows %.4f, of the base alone %.4f, weights %s",
                        rows.size(),
                        learned.loss(),
                        learned.baseLoss(),
                        shown(learned.weights())));
                return learned.weights();
            }
        }
        if (soup != null) {
            if (trained.size() != loaded.adapters().size()) {
                throw new InputException(
                        "--adapter-data names " + trained.size() + " files, expected one for each of the "
                                + loaded.adapters().size() + " adapters");
            }
            List<Examples> texts = new ArrayList<>();
            List<Dataset> open = new ArrayList<>();
            try {
                for (Path file : trained) {
                    open.add(Dataset.open(file, DataOptions.DETECT));
                    texts.add(examples(loaded, open.get(open.size() - 1)));
                }
                open.add(Dataset.open(data, DataOptions.DETECT));
                AdapterSoup.SoupWeights chosen =
                        soup.choose(loaded.base(), examples(loaded, open.get(open.size() - 1)), texts, BATCH);
                chosen.similarities().forEach(report.putArray("likeness")::add);
                listener.onNotice("soup: likeness of the texts " + shown(chosen.similarities()) + ", weights "
                        + shown(chosen.weights()));
                return chosen.weights();
            } finally {
                open.forEach(Dataset::close);
            }
        }
        return given;
    }

    private static String shown(List<Double> values) {
        return String.join(
                ", ",
                values.stream()
                        .map(value -> String.format(Locale.ROOT, "%.3f", value))
                        .toList());
    }

    private static Examples examples(LoadedModel loaded, Dataset rows) {
        Base base = loaded.base();
        TaskSpec taskSpec = TaskSpec.of(rows, base);
        return Examples.encode(
                rows,
                taskSpec.encoder(base, loaded::chat, LossOn.COMPLETION),
                Math.min(LENGTH, base.backbone().maxPositions()),
                taskSpec.overflow(null));
    }
}
