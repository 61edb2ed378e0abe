package dev.graft.eval.suites;

import dev.graft.eval.predict.LabelPredictor;
import dev.graft.eval.predict.MaskFiller;
import dev.graft.eval.predict.QuestionAnswerer;
import dev.graft.eval.predict.Tagger;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.GenerationLimits;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.train.Predictor;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Seq2SeqEncoder;
import dev.graft.train.loss.Prediction;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Predicts the answers to benchmark items with a base and its adapters.
 *
 * @param base a base with a suitable head
 * @param hooks the hooks of the adapters
 * @param maxLength the maximum number of tokens of a row; longer rows are cut, or read in windows in extractive question answering
 * @param maxNewTokens the maximum number of tokens of a generated answer; null for the default of the task
 */
public record SuitePredictor(
        Base base,
        Hooks hooks,
        int batchSize,
        int maxLength,
        @Nullable Integer maxNewTokens) {
    private static final int NAMED = 10;

    /**
     * Predicts answers, in the order of the items.
     *
     * @param folder the folder of the benchmark
     * @throws InputException if the base's head can't answer them
     */
    public List<Answer> answer(SuiteTask task, Path folder, List<Item> items) {
        if (!task.question().heads().contains(base.task())) {
            throw new InputException(task.title() + " needs a model with a head for "
                    + task.question().heads() + ", but " + base.name() + " has one for " + base.task()
                    + "; name an adapter that was trained on it, or --task");
        }
        return switch (task.question()) {
            case CLASS, NUMBER -> classes(task.question(), items);
            case TAGS -> tags(items);
            case SPAN -> spans(items, false);
            case SPAN_OR_NONE -> spans(items, true);
            case TEXT -> texts(items, task.generationLimits());
            case TOKEN -> tokens(items, task.answerFilter(folder));
            case CHOICE -> choices(items);
        };
    }

    private int longest() {
        return Math.min(maxLength, base.backbone().maxPositions());
    }

    private static Rows rows(List<Item> items) {
        return Rows.of("rows", items.stream().map(Item::row).toList());
    }

    private List<Answer> classes(SuiteQuestion question, List<Item> items) {
        Label.Kind kind = question == SuiteQuestion.NUMBER ? Label.Kind.SCORE : Label.Kind.ONE;
        if (kind == Label.Kind.SCORE && base.labels().size() != 1) {
            throw new InputException("the rows ask for a number, but " + base.name() + " has "
                    + base.labels().size() + " classes");
        }
        Map<String, String> names = kind == Label.Kind.SCORE ? Map.of() : named(items);
        List<LabelPredictor.LabelPrediction> said =
                new LabelPredictor(base, kind, batchSize).predict(rows(items), hooks, longest());
        List<Answer> answers = new ArrayList<>();
        for (int i = 0; i < items.size(); i++) {
            Double value = said.get(i).value();
            if (value != null) {
                answers.add(new Answer(items.get(i), List.of(), value));
                continue;
            }
            Map<String, Double> probabilities = said.get(i).probabilities();
            answers.add(new Answer(
                    items.get(i),
                    probabilities.entrySet().stream()
                            .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                            .map(each -> names.getOrDefault(each.getKey(), each.getKey()))
                            .toList(),
                    probabilities.getOrDefault(SuiteTask.YES, 0.0)));
        }
        return answers;
    }

    /** Returns the names of the outputs where the model has none: the classes of the rows in their order, if there are as many. */
    private Map<String, String> named(List<Item> items) {
        List<String> classes = Labels.of(rows(items)).names();
        List<String> outputs = base.labels();
        Map<String, String> names = new TreeMap<>();
        boolean unnamed =
                IntStream.range(0, outputs.size()).allMatch(i -> outputs.get(i).equals("LABEL_" + i));
        if (unnamed && outputs.size() == classes.size()) {
            IntStream.range(0, classes.size()).forEach(i -> names.put(outputs.get(i), classes.get(i)));
        }
        return names;
    }

    private List<Answer> tags(List<Item> items) {
        List<Tagger.TaggedText> tagged = new Tagger(base, batchSize)
                .tag(
                        items.stream()
                                .map(item -> ((Row.Words) item.row()).words())
                                .toList(),
                        hooks);
        List<Answer> answers = new ArrayList<>();
        for (int i = 0; i < items.size(); i++) {
            // A word that isn't read is none of an entity.
            answers.add(new Answer(
                    items.get(i),
                    tagged.get(i).words().stream()
                            .map(word -> Objects.requireNonNullElse(word.tag(), "O"))
                            .toList(),
                    0));
        }
        return answers;
    }

    private List<Answer> spans(List<Item> items, boolean mayBeNone) {
        List<QuestionAnswerer.Answer> found = new QuestionAnswerer(base, mayBeNone, batchSize)
                .answer(items.stream().map(item -> (Row.Question) item.row()).toList(), hooks);
        return IntStream.range(0, items.size())
                .mapToObj(i -> new Answer(
                        items.get(i),
                        List.of(found.get(i).text(), found.get(i).best()),
                        found.get(i).none()))
                .toList();
    }

    private List<Answer> texts(List<Item> items, GenerationLimits limits) {
        Generator generator = new Generator(base);
        GenerateOptions options = GenerateOptions.DEFAULT
                .withMaxNewTokens(maxNewTokens == null ? limits.tokens() : maxNewTokens)
                .withStop(limits.stop().toArray(String[]::new));
        int most = base.task() == Task.SEQ_2_SEQ_LM
                ? longest()
                : Math.min(maxLength, base.backbone().maxPositions() - options.maxNewTokens());
        if (most < 1) {
            throw new InputException(base.name() + " reads " + base.backbone().maxPositions()
                    + " tokens, which leaves no room for a prompt beside an answer of " + options.maxNewTokens());
        }
        List<Answer> answers = new ArrayList<>();
        for (int from = 0; from < items.size(); from += batchSize) {
            List<Item> some = items.subList(from, Math.min(items.size(), from + batchSize));
            List<int[]> prompts = some.stream()
                    .map(item -> prompt(((Row.Completion) item.row()).prompt(), most))
                    .toList();
            List<GeneratedText> written = generator.generate(prompts, options, hooks, TextListener.SILENT);
            for (int i = 0; i < some.size(); i++) {
                answers.add(new Answer(some.get(i), written.get(i).text(), 0));
            }
        }
        return answers;
    }

    /** A causal model answers where a text ends, so that its beginning is cut off; an encoder reads it from its beginning on. */
    private int[] prompt(String text, int most) {
        if (base.task() == Task.SEQ_2_SEQ_LM) {
            return base.tokenizer()
                    .encode(text, EncodeOptions.DEFAULT.withTruncation(most))
                    .ids();
        }
        int[] ids = base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids();
        return ids.length <= most ? ids : Arrays.copyOfRange(ids, ids.length - most, ids.length);
    }

    private List<Answer> tokens(List<Item> items, Predicate<String> admitted) {
        String mask = base.tokenizer()
                .specialTokens()
                .require(SpecialTokens.TokenRole.MASK)
                .content();
        MaskFiller filler = new MaskFiller(base, base.backbone().vocabSize());
        List<Answer> answers = new ArrayList<>();
        for (Item item : items) {
            int[] ids = base.tokenizer()
                    .encode(" " + item.gold().get(0), EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                    .ids();
            String gold = ids.length == 1 ? base.tokenizer().decode(ids, false).strip() : "";
            if (!gold.equalsIgnoreCase(item.gold().get(0)) || !admitted.test(gold)) {
                answers.add(new Answer(item, List.of(), 0));
                continue;
            }
            String text = ((Row.Text) item.row()).text().replace(Lama.MASK, mask);
            List<String> ranked = filler.fill(text, hooks).get(0).stream()
                    .map(MaskFiller.FilledToken::token)
                    .filter(admitted)
                    .toList();
            answers.add(new Answer(item, ranked.subList(0, Math.min(NAMED, ranked.size())), ranked.indexOf(gold) + 1));
        }
        return answers;
    }

    /** The answer whose tokens, the end of it included, are most probable together. */
    private List<Answer> choices(List<Item> items) {
        List<Row> each = new ArrayList<>();
        for (Item item : items) {
            Row.Choice choice = (Row.Choice) item.row();
            choice.choices().forEach(text -> each.add(new Row.Completion(choice.stem(), " " + text)));
        }
        boolean answers = base.task() == Task.SEQ_2_SEQ_LM;
        RowEncoder encoder = answers
                ? new Seq2SeqEncoder(base.tokenizer(), base.decoderStartToken())
                : new CausalEncoder(
                        base.tokenizer(),
                        null,
                        LossOn.COMPLETION,
                        base.backbone().vocabSize());
        double[] likelihoods = new double[each.size()];
        Examples examples = Examples.encode(
                Rows.of("choices", each), encoder, longest(), answers ? Overflow.TRUNCATE : Overflow.TRUNCATE_LEFT);
        new Predictor(base, examples, batchSize)
                .predict(
                        hooks,
                        prediction -> likelihoods[prediction.row()] =
                                -((Prediction.Tokens) prediction).negativeLogLikelihood());
        List<Answer> chosen = new ArrayList<>();
        int first = 0;
        for (Item item : items) {
            List<String> choices = ((Row.Choice) item.row()).choices();
            int best = 0;
            for (int i = 1; i < choices.size(); i++) {
                best = likelihoods[first + i] > likelihoods[first + best] ? i : best;
            }
            chosen.add(new Answer(item, choices.get(best), 0));
            first += choices.size();
        }
        return chosen;
    }
}
