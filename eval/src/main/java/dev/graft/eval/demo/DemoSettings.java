package dev.graft.eval.demo;

import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import java.util.List;

/**
 * The settings of a demonstration.
 *
 * @param folder the folder for the adapter, the merged model and the reports
 * @param model the source of a BERT model
 * @param data the source of WordNet
 * @param trainRows training rows of each class
 * @param testRows test rows of each class
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

    /** Returns the usual settings: MiniLM on 25 kinds of noun, with 200 training rows and 60 test rows of each. */
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
