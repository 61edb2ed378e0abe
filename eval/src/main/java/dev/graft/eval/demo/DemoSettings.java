package dev.graft.eval.demo;

import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import java.util.List;

/**
 * What a demonstration does.
 *
 * @param folder where the adapter, the merged model and the reports go
 * @param model a source of a BERT
 * @param data a source of WordNet
 * @param trainRows of each kind
 * @param testRows of each kind
 * @param questions definitions to classify at the end
 */
public record DemoSettings(
        Path folder,
        String model,
        String data,
        int trainRows,
        int testRows,
        double epochs,
        double learningRate,
        Numerics numerics,
        long seed,
        List<String> questions) {
    public DemoSettings {
        questions = List.copyOf(questions);
    }

    /** MiniLM on 25 kinds of noun, 200 rows of each to train and 60 to test. */
    public static DemoSettings of(Path folder, long seed) {
        return new DemoSettings(
                folder,
                "minilm",
                "wordnet",
                200,
                60,
                4,
                1e-3,
                Numerics.auto(),
                seed,
                List.of(
                        "a tool with a heavy metal head, used to drive nails",
                        "a quick feeling of joy at somebody else's good luck",
                        "a sweet pudding of rice, milk and cinnamon"));
    }
}
