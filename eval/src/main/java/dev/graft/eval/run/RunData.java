package dev.graft.eval.run;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.models.generate.Answering;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.train.data.AnswerEncoder;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.ChoiceEncoder;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Goal;
import dev.graft.train.data.ImageEncoder;
import dev.graft.train.data.ImageTextEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.MaskEncoder;
import dev.graft.train.data.MaskedEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.PreferenceEncoder;
import dev.graft.train.data.QuestionEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.SpeechEncoder;
import dev.graft.train.data.TagEncoder;
import dev.graft.train.data.Target;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What rows ask of a model.
 *
 * <pre>{@code
 * RunData data = RunData.of((Dataset) splits.train(), null);
 * Base base = Base.load(path, data.options(Base.Options.DEFAULT));
 * Examples train = Examples.encode(splits.train(), data.encoder(base, chat, LossOn.COMPLETION), 512, Overflow.DROP);
 * }</pre>
 *
 * @param kind what the labels are; null where texts are learnt
 * @param labels the classes, or the numbers of the choices; empty where texts are learnt and for regression
 * @param goal what is learnt from the rows
 * @param leavesOpen whether texts may leave questions open
 */
public record RunData(
        Task task, RowShape shape, Label.@Nullable Kind kind, Labels labels, Goal goal, boolean leavesOpen) {
    /** What is learnt from pairs and judged answers where nobody says how. */
    private static final Goal DPO = new Goal.Dpo(Goal.Form.SIGMOID, 0.1, 0);

    private static final Goal KTO = new Goal.Kto(0.1, 1, 1);
    private static final Labels NONE = Labels.ofNames(List.of());

    /** Tokens that windows of a long text share, as is usual for SQuAD. */
    public static final int STRIDE = 128;

    /** The share of tokens that are masked, as is usual for BERT. */
    public static final double MASK_SHARE = 0.15;

    /** What texts are learnt from, as a model continues or answers them. */
    private static final Set<RowShape> TEXTS = EnumSet.of(
            RowShape.CHAT,
            RowShape.INSTRUCTION,
            RowShape.PROMPT_COMPLETION,
            RowShape.PREFERENCE,
            RowShape.JUDGED,
            RowShape.TEXT,
            RowShape.TOKENS);

    /** A regression's only output, as transformers calls it. */
    private static final List<String> SCORE = List.of("LABEL_0");

    /** Rows that leave no question open. */
    public RunData(Task task, RowShape shape, Label.@Nullable Kind kind, Labels labels, Goal goal) {
        this(task, shape, kind, labels, goal, false);
    }

    /**
     * The task that fits the rows of a file.
     *
     * @param wanted the task to fit; null for the one that the rows are made for
     * @throws InputException if they don't fit it, or have no label
     */
    public static RunData of(Dataset rows, @Nullable Task wanted) {
        RowShape shape = rows.shape();
        boolean images = wanted == Task.SEQ_CLS && shape == RowShape.LABELLED_IMAGE;
        Task task = wanted == null || images ? usualTask(shape) : wanted;
        if (task == null || !fits(rows, task)) {
            throw unfit(rows, wanted);
        }
        Label.Kind kind = kind(rows);
        Labels labels = kind == null ? choices(rows) : labels(rows, kind);
        return new RunData(task, shape, kind, labels, usual(shape), rows.leavesOpen());
    }

    private static Label.@Nullable Kind kind(Dataset rows) {
        if (rows.shape() == RowShape.IMAGE_MASK) {
            return Label.Kind.EACH;
        }
        return TEXTS.contains(rows.shape()) ? null : rows.labelKind();
    }

    /** What rows are made for; null where they lack something. */
    private static @Nullable Task usualTask(RowShape shape) {
        return switch (shape) {
            case CLASSIFICATION, LABELLED_TOKENS -> Task.SEQ_CLS;
            case LABELLED_IMAGE -> Task.IMAGE_CLS;
            case IMAGE_TEXT -> Task.CONTRASTIVE;
            case IMAGE_MASK -> Task.SEMANTIC_SEG;
            case WORDS -> Task.TOKEN_CLS;
            case QUESTION -> Task.QUESTION_ANS;
            case CHOICE -> Task.MULTIPLE_CHOICE;
            case IMAGE, UNTAGGED, UNANSWERED, UNSOLVED -> null;
            default -> Task.CAUSAL_LM;
        };
    }

    private static boolean fits(Dataset rows, Task task) {
        return switch (task) {
            case SEQ_2_SEQ_LM -> answers(rows);
            case CAUSAL_LM -> TEXTS.contains(rows.shape());
            case MASKED_LM -> rows.shape() == RowShape.TEXT;
            default -> usualTask(rows.shape()) == task;
        };
    }

    private static InputException unfit(Dataset rows, @Nullable Task task) {
        StringBuilder expected = new StringBuilder();
        List<RowShape> shapes = wanted(task);
        shapes.forEach(shape -> expected.append("\n  ").append(shape.sample()));
        String what = task == null
                ? "training"
                : switch (task) {
                    case SEQ_2_SEQ_LM -> "fine-tuning an encoder-decoder";
                    case CAUSAL_LM -> "fine-tuning a causal model";
                    case TOKEN_CLS -> "tagging words";
                    case QUESTION_ANS -> "answering questions";
                    case MULTIPLE_CHOICE -> "choosing";
                    case MASKED_LM -> "learning masked tokens";
                    case SEMANTIC_SEG -> "segmenting images";
                    default -> "training";
                };
        return new InputException(rows.place(0) + ": the rows are "
                + rows.shape().title() + ", but " + what + " needs rows such as" + expected);
    }

    private static List<RowShape> wanted(@Nullable Task task) {
        if (task == null || task == Task.SEQ_CLS) {
            return List.of(RowShape.CLASSIFICATION, RowShape.LABELLED_IMAGE, RowShape.CHAT);
        }
        return switch (task) {
            case SEQ_2_SEQ_LM -> List.of(RowShape.PROMPT_COMPLETION);
            case TOKEN_CLS -> List.of(RowShape.WORDS);
            case QUESTION_ANS -> List.of(RowShape.QUESTION);
            case MULTIPLE_CHOICE -> List.of(RowShape.CHOICE);
            case MASKED_LM -> List.of(RowShape.TEXT);
            case SEMANTIC_SEG -> List.of(RowShape.IMAGE_MASK);
            default -> List.of(RowShape.CHAT, RowShape.PROMPT_COMPLETION);
        };
    }

    private static Goal usual(RowShape shape) {
        return shape == RowShape.PREFERENCE ? DPO : shape == RowShape.JUDGED ? KTO : Goal.TARGETS;
    }

    /** The rows of a file of preferences for a goal. */
    public static RunData of(Dataset rows, Goal goal) {
        RowShape wanted = goal instanceof Goal.Kto ? RowShape.JUDGED : RowShape.PREFERENCE;
        if (rows.shape() != wanted) {
            throw new InputException(rows.place(0) + ": the rows are "
                    + rows.shape().title() + ", expected rows such" + " as\n  " + wanted.sample());
        }
        return goal instanceof Goal.Reward
                ? new RunData(Task.SEQ_CLS, wanted, Label.Kind.SCORE, NONE, goal)
                : new RunData(Task.CAUSAL_LM, wanted, null, NONE, goal);
    }

    /** Whether rows have texts for answers: completions, what is said, or pairs of texts without a label. */
    private static boolean answers(Dataset rows) {
        return rows.shape() == RowShape.PROMPT_COMPLETION
                || rows.shape() == RowShape.SPEECH
                || rows.shape() == RowShape.TEXT && rows.get(0) instanceof Row.Text text && text.pair() != null;
    }

    /** The numbers of the choices that rows have. */
    private static Labels choices(Rows rows) {
        return rows.get(0) instanceof Row.Choice choice
                ? Labels.ofNames(IntStream.range(0, choice.choices().size())
                        .mapToObj(Integer::toString)
                        .toList())
                : NONE;
    }

    private static Labels labels(Rows rows, Label.Kind kind) {
        if (rows.get(0) instanceof Row.Masked) {
            return classes(rows);
        }
        Labels labels = kind == Label.Kind.SCORE ? NONE : Labels.of(rows);
        if (kind == Label.Kind.ONE && labels.size() < 2) {
            throw new InputException(rows.place(0) + ": every row has the label "
                    + labels.names().get(0) + ", so there is nothing to tell apart");
        }
        boolean all = rows.labelCounts().values().stream().allMatch(count -> count == rows.size());
        if (kind == Label.Kind.MANY && all && labels.size() > 0) {
            throw new InputException(rows.place(0) + ": every row has all the labels "
                    + labels.names() + ", so there is nothing to tell apart"
                    + (labels.names().equals(List.of("0", "1"))
                            ? "; a list names the classes of its row, it is no vector of zeros and ones: give the class's"
                                    + " number or name, or the list of those that the row has"
                            : ""));
        }
        return labels;
    }

    /** The numbers of masks up to the largest. */
    private static Labels classes(Rows rows) {
        int largest = 0;
        for (int i = 0; i < rows.size(); i++) {
            for (byte value :
                    MaskEncoder.mask(((Row.Masked) rows.get(i)).mask()).values()) {
                int one = value & 0xFF;
                largest = one == Target.Points.UNLABELLED ? largest : Math.max(largest, one);
            }
        }
        if (largest == 0) {
            throw new InputException(
                    rows.place(0) + ": the masks have no class but 0, so there is nothing to tell apart");
        }
        return Labels.ofNames(
                IntStream.rangeClosed(0, largest).mapToObj(Integer::toString).toList());
    }

    /**
     * Rows for a model that exists, whose classes are those of its outputs.
     *
     * @throws InputException if the model's head is for something else
     */
    public static RunData of(Dataset rows, Base base) {
        if (rows.shape() == RowShape.PREFERENCE && base.task() == Task.SEQ_CLS) {
            return of(rows, new Goal.Reward(0));
        }
        Task task = base.task();
        if (!fits(rows, task)) {
            throw new InputException(rows.place(0) + ": the rows are "
                    + rows.shape().title() + ", but " + base.name()
                    + " has a head for " + task
                    + (task == Task.FEATURE_EXTRACTION ? "; name an adapter that was trained with a head" : ""));
        }
        Label.Kind kind = kind(rows);
        if (kind == Label.Kind.SCORE && base.labels().size() != 1) {
            throw new InputException(rows.place(0) + ": the labels are numbers to predict, but " + base.name() + " has "
                    + base.labels().size() + " classes");
        }
        Labels labels = kind == null ? choices(rows) : kind == Label.Kind.SCORE ? NONE : named(base.labels(), rows);
        return new RunData(task, rows.shape(), kind, labels, usual(rows.shape()), rows.leavesOpen());
    }

    /** Outputs that have numbers for names are meant by rows that have the numbers alone. */
    private static Labels named(List<String> names, Rows rows) {
        boolean unnamed =
                IntStream.range(0, names.size()).allMatch(i -> names.get(i).equals("LABEL_" + i));
        boolean numbers = rows.labelCounts().keySet().stream().allMatch(label -> label.matches("[0-9]+"));
        Map<Integer, String> ids = new TreeMap<>();
        for (int i = 0; i < names.size(); i++) {
            ids.put(i, unnamed && numbers ? Integer.toString(i) : names.get(i));
        }
        return Labels.fromIds(ids);
    }

    /** Whether rows have pictures. */
    public boolean isImages() {
        return task == Task.IMAGE_CLS || task == Task.CONTRASTIVE || task == Task.SEMANTIC_SEG;
    }

    /** The options of a base that has the head for this. */
    public Base.Options options(Base.Options options) {
        Base.Options forTask = options.withTask(task);
        return kind == null ? forTask : forTask.withLabels(names());
    }

    /** The names of a classifier's outputs; empty where texts are learnt. */
    public List<String> names() {
        return kind == Label.Kind.SCORE ? SCORE : labels.names();
    }

    /**
     * What becomes of rows that are too long.
     *
     * @param wanted null where nobody says so
     */
    public Overflow overflow(@Nullable Overflow wanted) {
        if (wanted != null && (task == Task.QUESTION_ANS || task == Task.MASKED_LM)) {
            throw new InputException("overflow is " + wanted.name().toLowerCase(Locale.ROOT) + ", but long texts are"
                    + " read in windows here; leave it out");
        }
        return wanted != null ? wanted : usualOverflow();
    }

    private Overflow usualOverflow() {
        return switch (shape) {
            case CLASSIFICATION, WORDS, CHOICE, IMAGE_TEXT -> Overflow.TRUNCATE;
            case TEXT -> task == Task.CAUSAL_LM ? Overflow.SPLIT : Overflow.DROP;
            default -> Overflow.DROP;
        };
    }

    /**
     * Rows to what the model takes: token ids, or the values of images.
     *
     * @param chat asked for the chat template where a row is a conversation or an instruction
     */
    public RowEncoder encoder(Base base, Supplier<Chat> chat, LossOn lossOn) {
        return encoder(base, chat, Reading.of(lossOn));
    }

    /**
     * How rows are read.
     *
     * @param stride tokens that windows of a long text share where questions are on it
     * @param maskShare of the tokens that are learnt where masked ones are
     * @param seed of the masks
     */
    public record Reading(LossOn lossOn, int stride, double maskShare, long seed) {
        /** As is usual for SQuAD and BERT. */
        public static Reading of(LossOn lossOn) {
            return new Reading(lossOn, STRIDE, MASK_SHARE, 42);
        }
    }

    /**
     * Rows to what the model takes: token ids, or the values of images.
     *
     * @param chat asked for the chat template where a row is a conversation or an instruction
     */
    public RowEncoder encoder(Base base, Supplier<Chat> chat, Reading reading) {
        switch (task) {
            case TOKEN_CLS -> {
                return new TagEncoder(base.tokenizer(), labels);
            }
            case QUESTION_ANS -> {
                return new QuestionEncoder(base.tokenizer(), reading.stride());
            }
            case MULTIPLE_CHOICE -> {
                return new ChoiceEncoder(base.tokenizer(), labels.size());
            }
            case MASKED_LM -> {
                return new MaskedEncoder(base.tokenizer(), reading.maskShare(), reading.seed());
            }
            case SEMANTIC_SEG -> {
                return new MaskEncoder(base.imageProcessor(), labels.size());
            }
            case CONTRASTIVE -> {
                return new ImageTextEncoder(base);
            }
            default -> {}
        }
        if (task == Task.IMAGE_CLS) {
            return new ImageEncoder(base.imageProcessor(), labels);
        }
        int vocabulary = base.backbone().vocabSize();
        boolean ids = shape == RowShape.TOKENS || shape == RowShape.LABELLED_TOKENS;
        Tokenizer tokenizer = ids ? null : base.tokenizer();
        if (task == Task.SEQ_2_SEQ_LM) {
            boolean hears = base.backbone().bands() > 0;
            if (hears != (shape == RowShape.SPEECH)) {
                throw new InputException("the rows are " + shape.title() + ", but " + base.name()
                        + " needs rows such as\n  " + (hears ? RowShape.SPEECH : RowShape.PROMPT_COMPLETION).sample());
            }
            return hears
                    ? new SpeechEncoder(
                            base.logMel(), base.tokenizer(), Answering.of(base).start())
                    : new AnswerEncoder(base.tokenizer(), base.answerStart());
        }
        if (!goal.equals(Goal.TARGETS)) {
            return new PreferenceEncoder(CausalEncoder.asking(tokenizer, chat, LossOn.COMPLETION, vocabulary), goal);
        }
        return task == Task.CAUSAL_LM
                ? CausalEncoder.asking(tokenizer, chat, reading.lossOn(), vocabulary)
                : new ClassificationEncoder(tokenizer, labels, vocabulary);
    }
}
