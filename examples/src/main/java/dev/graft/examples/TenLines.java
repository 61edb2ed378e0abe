package dev.graft.examples;

import dev.graft.eval.predict.TextClassifier;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.files.Dataset;
import java.nio.file.Path;
import java.util.List;

/**
 * The main use in ten lines: load a base, add LoRA, train on labelled texts, save the adapter, load it and classify a text.
 */
public final class TenLines {
    private TenLines() {}

    /** Trains on a file of {@code {"text", "label"}} and returns a classifier with the saved adapter. */
    static TextClassifier train(String model, Path data, Path out) {
        Dataset rows = Dataset.open(data);
        Labels labels = Labels.of(rows);
        Base base = Base.load(model, Base.Options.of(Task.SEQ_CLS).withLabels(labels.names()));
        var encoder = new ClassificationEncoder(
                base.tokenizer(), labels, base.backbone().vocabSize());
        Examples examples = Examples.encode(rows, encoder, 128, Overflow.TRUNCATE);
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 42);
        TrainSettings settings = TrainSettings.DEFAULT.withLearningRate(1e-3).withEpochs(20);
        new Trainer(settings, adapter, examples, null, null, List.of()).run();
        adapter.save(out);
        return new TextClassifier(base, Selection.of(Adapter.load(base, out)));
    }

    /**
     * Runs the example.
     *
     * @param arguments a model, a file of rows, a folder for the adapter, a text to classify
     */
    public static void main(String[] arguments) {
        TextClassifier classifier = train(arguments[0], Path.of(arguments[1]), Path.of(arguments[2]));
        System.out.println(classifier.classify(arguments[3]));
    }
}
