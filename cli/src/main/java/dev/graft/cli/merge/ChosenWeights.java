package dev.graft.cli.merge;

import dev.graft.cli.model.Loading;
import dev.graft.eval.run.RunData;
import dev.graft.eval.weights.AdapterSoup;
import dev.graft.eval.weights.LoraHub;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * How the weights of combined adapters come about.
 *
 * @param given by the user, or by the combination
 * @param hub finds them by few rows; else null
 * @param soup chooses by the likeness of texts; else null
 * @param data few rows of what the result is for; null where nothing is chosen
 * @param trained for a soup, rows that each adapter was trained on
 */
record ChosenWeights(
        List<Double> given,
        @Nullable LoraHub hub,
        @Nullable AdapterSoup soup,
        @Nullable Path data,
        List<Path> trained) {
    private static final int BATCH = 8;
    private static final int LENGTH = 1024;

    static ChosenWeights of(List<Double> given) {
        return new ChosenWeights(given, null, null, null, List.of());
    }

    /** The weights; what was found on the way goes into the report. */
    List<Double> of(Loading loaded, ObjectNode report, PrintWriter err) {
        if (data == null) {
            return given;
        }
        if (hub != null) {
            try (Dataset rows = Dataset.open(data, DataOptions.DETECT)) {
                LoraHub.Chosen chosen = hub.choose(loaded.adapters(), examples(loaded, rows), BATCH);
                report.put("few_shot_loss", chosen.loss()).put("few_shot_loss_of_base", chosen.baseLoss());
                err.println(String.format(
                        Locale.ROOT,
                        "lorahub: loss of %d rows %.4f, of the base alone %.4f, weights %s",
                        rows.size(),
                        chosen.loss(),
                        chosen.baseLoss(),
                        shown(chosen.weights())));
                return chosen.weights();
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
                AdapterSoup.Chosen chosen =
                        soup.choose(loaded.base(), examples(loaded, open.get(open.size() - 1)), texts, BATCH);
                chosen.likeness().forEach(report.putArray("likeness")::add);
                err.println("soup: likeness of the texts " + shown(chosen.likeness()) + ", weights "
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

    private static Examples examples(Loading loaded, Dataset rows) {
        Base base = loaded.base();
        RunData task = RunData.of(rows, base);
        return Examples.encode(
                rows,
                task.encoder(base, loaded::chat, LossOn.COMPLETION),
                Math.min(LENGTH, base.backbone().maxPositions()),
                task.overflow(null));
    }
}
