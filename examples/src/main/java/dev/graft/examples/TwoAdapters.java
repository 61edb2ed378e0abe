package dev.graft.examples;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/** Two adapters on one base in memory: in one batch, one row uses one adapter and the next row the other. */
public final class TwoAdapters {
    private static final List<String> NO_YES = List.of("no", "yes");

    private record Sentence(String text, boolean praise, boolean food) {}

    private static final List<Sentence> SENTENCES = List.of(
            new Sentence("The soup was warm and good.", true, true),
            new Sentence("The soup was cold and bad.", false, true),
            new Sentence("The cake was sweet and fresh.", true, true),
            new Sentence("The cake was dry and stale.", false, true),
            new Sentence("The film was funny and clever.", true, false),
            new Sentence("The film was dull and long.", false, false),
            new Sentence("The room was clean and quiet.", true, false),
            new Sentence("The room was dirty and loud.", false, false));

    private TwoAdapters() {}

    /** Loads a base with a classifier of two classes, no and yes. */
    static Base base(String model) {
        return Base.load(model, Base.Options.of(Task.SEQ_CLS).withLabels(NO_YES));
    }

    /** Trains an adapter that classifies whether a sentence is praise. */
    static Adapter praise(Base base) {
        return train(base, Sentence::praise);
    }

    /** Trains an adapter that classifies whether a sentence is about food. */
    static Adapter food(Base base) {
        return train(base, Sentence::food);
    }

    private static Adapter train(Base base, Predicate<Sentence> question) {
        List<Row> rows = SENTENCES.stream()
                .<Row>map(sentence ->
                        new Row.Text(sentence.text, null, new Label.One(question.test(sentence) ? "yes" : "no")))
                .toList();
        var encoder = new ClassificationEncoder(
                base.tokenizer(), Labels.ofNames(NO_YES), base.backbone().vocabSize());
        Examples examples = Examples.encode(Rows.of("sentences", rows), encoder, 64, Overflow.ERROR);
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 42);
        TrainSettings settings = TrainSettings.DEFAULT.withLearningRate(2e-3).withEpochs(30);
        new Trainer(settings, adapter, examples, null, null, List.of()).run();
        return adapter;
    }

    /** Returns the logits {@code [row][no, yes]} of one text, a row for each selection, in a single forward pass. */
    static float[][] ask(Base base, String text, Selection... selections) {
        long[] ids = Arrays.stream(
                        base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids())
                .asLongStream()
                .toArray();
        long[][] batch = new long[selections.length][];
        Arrays.fill(batch, ids);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.inference(Selection.rows(selections).hooks());
            float[] logits = Tensors.floats(base.logits(Inputs.of(batch), pass));
            float[][] rows = new float[selections.length][];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = Arrays.copyOfRange(logits, 2 * i, 2 * i + 2);
            }
            return rows;
        }
    }

    /**
     * Runs the example.
     *
     * @param arguments a model and a sentence
     */
    public static void main(String[] arguments) {
        Base base = base(arguments[0]);
        float[][] answers = ask(base, arguments[1], Selection.of(praise(base)), Selection.of(food(base)));
        System.out.println("praise: " + answer(answers[0]));
        System.out.println("food:   " + answer(answers[1]));
    }

    static String answer(float[] logits) {
        return NO_YES.get(logits[1] > logits[0] ? 1 : 0);
    }
}
