package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Multitask prompt tuning (Wang et al., 2023): tasks share a prompt {@code P [T, d]}, and each task k has a low-rank factor. Its rows before the
 * embeddings of the tokens are {@code P ⊙ (U_k V_k)} with {@code U [tasks, T, r]} and {@code V [tasks, r, d]}. {@code adapter.task(k)} selects
 * the task, per row of a batch if necessary.
 *
 * <p>Trained: T · d + tasks · r · (T + d). P starts as in prompt tuning, U around 1 / r and V around 1 with deviation 0.02, so every task starts
 * with P; PEFT's factors, and so its prompts, start around 0. For a new task all start from an adapter of several: P and its mean factors, P and
 * one task's factors, or P alone. Files: {@code prompt_embeddings}, {@code prefix_task_cols}, {@code prefix_task_rows}. Doesn't merge, and has no
 * strength but 1. Use it if several related tasks are learned together or a new one has few examples.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, MultitaskPromptTuning.DEFAULT.withTasks(3), 42);
 * Selection selection = Selection.of(adapter.task(2));
 * }</pre>
 *
 * @param tokens T
 * @param tasks the number of tasks
 * @param rank r
 * @param init the initialisation of P and the factors
 * @param text the text that initialises P with {@link Init#TEXT}
 * @param tokenizer the name of the tokenizer of the text, or null for the base's name
 * @param source the file of an adapter's tensors that the others start from
 * @param sourceTask the task that {@link Init#EXACT_SOURCE_TASK} means
 * @param sets the number of sets of T rows in files: 1, or 2 as in PEFT for encoder-decoders, which never uses the second
 */
@RecordBuilder
public record MultitaskPromptTuning(
        int tokens,
        int tasks,
        int rank,
        Init init,
        @Nullable String text,
        @Nullable String tokenizer,
        @Nullable String source,
        int sourceTask,
        int sets)
        implements Method, MultitaskPromptTuningBuilder.With {
    /** The initialisation of P and the factors. */
    public enum Init {
        /** P normal around 0 with deviation 1. */
        RANDOM,
        /** P as embeddings of tokens drawn from the vocabulary. */
        SAMPLE_VOCAB,
        /** P as embeddings of a text's tokens, cut or repeated to the length. */
        TEXT,
        /** P of another adapter, and the mean of its tasks' factors. */
        AVERAGE_SOURCE_TASKS,
        /** P of another adapter, and the factors of one of its tasks. */
        EXACT_SOURCE_TASK,
        /** P of another adapter, and new factors. */
        ONLY_SOURCE_SHARED;

        boolean hasSource() {
            return this == AVERAGE_SOURCE_TASKS || this == EXACT_SOURCE_TASK || this == ONLY_SOURCE_SHARED;
        }

        boolean hasSourceFactors() {
            return this == AVERAGE_SOURCE_TASKS || this == EXACT_SOURCE_TASK;
        }
    }

    private static final String COLUMNS = "prefix_task_cols";
    private static final String ROWS = "prefix_task_rows";
    private static final double DEVIATION = 0.02;

    /** Twenty rows that start as tokens of the vocabulary, for one task. */
    public static final MultitaskPromptTuning DEFAULT = MultitaskPromptTuningBuilder.builder()
            .tokens(20)
            .tasks(1)
            .rank(1)
            .init(Init.SAMPLE_VOCAB)
            .sets(1)
            .build();

    public MultitaskPromptTuning {
        VirtualTokens.positive(tokens);
        if (tasks < 1) {
            throw new InputException("num_tasks is " + tasks + ", expected at least 1");
        }
        if (rank < 1) {
            throw new InputException("num_ranks is " + rank + ", expected at least 1");
        }
        if (init == Init.TEXT && (text == null || text.isEmpty())) {
            throw new InputException("prompt_tuning_init is TEXT, so prompt_tuning_init_text must be given");
        }
        if (init.hasSource() && source == null) {
            throw new InputException(
                    "prompt_tuning_init is " + init + ", so prompt_tuning_init_state_dict_path must be given");
        }
        if (init.hasSourceFactors() && tasks != 1) {
            throw new InputException(
                    "prompt_tuning_init is " + init + ", which is for one task, but num_tasks is " + tasks);
        }
        if (sourceTask < 0) {
            throw new InputException("prompt_tuning_init_task is " + sourceTask + ", expected at least 0");
        }
    }

    /** Returns a copy that starts from the tensors of another adapter. */
    public MultitaskPromptTuning from(Path tensors, Init newStart, int task) {
        return with().init(newStart).source(tensors.toString()).sourceTask(task).build();
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        VirtualTokens.check(tokens, g.base());
        Embedding table = PromptTuning.input(g.base());
        long d = table.hidden();
        long rows = (long) sets * tokens;
        Tensor p = g.parameter(VirtualTokens.KEY, shared(g.base(), table), rows, d);
        Tensor u = g.parameter(COLUMNS, factor(1.0 / rank, COLUMNS), tasks, rows, rank);
        Tensor v = g.parameter(ROWS, factor(1, ROWS), tasks, rank, d);
        int task = g.task(tasks);
        g.add(
                table,
                new Effect.Prompt(
                        tokens,
                        pass -> p.mul(u.select(0, task).matmul(v.select(0, task)))
                                .narrow(0, 0, tokens)));
    }

    private Initializer shared(Base base, Embedding table) {
        return switch (init) {
            case RANDOM -> PromptTuning.Init.RANDOM.rows(base, table, text);
            case SAMPLE_VOCAB -> PromptTuning.Init.SAMPLE_VOCAB.rows(base, table, text);
            case TEXT -> PromptTuning.Init.TEXT.rows(base, table, text);
            case AVERAGE_SOURCE_TASKS, EXACT_SOURCE_TASK, ONLY_SOURCE_SHARED ->
                (rng, shape) -> fitting(VirtualTokens.KEY, source(VirtualTokens.KEY), shape);
        };
    }

    private Initializer factor(double mean, String key) {
        return switch (init) {
            case AVERAGE_SOURCE_TASKS -> (rng, shape) -> fitting(key, Ops.mean(source(key), 0, true), shape);
            case EXACT_SOURCE_TASK ->
                (rng, shape) -> {
                    Tensor all = source(key);
                    if (sourceTask >= all.size(0)) {
                        throw new InputException("prompt_tuning_init_task is " + sourceTask + ", but " + source
                                + " has " + all.size(0) + " tasks");
                    }
                    return fitting(key, all.narrow(0, sourceTask, 1), shape);
                };
            case RANDOM, SAMPLE_VOCAB, TEXT, ONLY_SOURCE_SHARED -> (rng, shape) -> rng.normal(mean, DEVIATION, shape);
        };
    }

    private Tensor source(String key) {
        Path file = Path.of(String.valueOf(source));
        if (!file.toString().endsWith(".safetensors")) {
            throw new InputException("prompt_tuning_init_state_dict_path is " + file
                    + ", expected a .safetensors file: pickle files are never read, they can run code");
        }
        try (Safetensors tensors = Safetensors.open(file)) {
            if (!tensors.names().contains(key)) {
                throw new FormatException(file, "has no tensor " + key);
            }
            return Tensors.of(tensors.tensor(key).floats(), tensors.info(key).shape());
        }
    }

    private Tensor fitting(String key, Tensor value, long... shape) {
        if (!Arrays.equals(Tensors.shape(value), shape)) {
            throw new FormatException(
                    Path.of(String.valueOf(source)),
                    key + " has shape " + Arrays.toString(Tensors.shape(value)) + ", expected " + Arrays.toString(shape)
                            + " by num_virtual_tokens, num_ranks and the base");
        }
        return value;
    }

    @Override
    public void write(ObjectNode json, Base base) {
        VirtualTokens.write(json, tokens, sets, base);
        json.put("num_tasks", tasks);
        json.put("num_ranks", rank);
        json.put("prompt_tuning_init", init.name());
        json.put("prompt_tuning_init_text", text);
        json.put("prompt_tuning_init_state_dict_path", source);
        json.put("prompt_tuning_init_task", sourceTask);
        json.put("tokenizer_name_or_path", init == Init.TEXT && tokenizer == null ? base.name() : tokenizer);
        json.putNull("tokenizer_kwargs");
    }

    /** Registers {@code multitask-prompt-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "multitask-prompt-tuning";
        }

        @Override
        public String summary() {
            return "embeddings before those of the text that several tasks share, times a low-rank factor of each";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String tasksField() {
            return "num_tasks";
        }

        @Override
        public String peftType() {
            return "MULTITASK_PROMPT_TUNING";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            // How the tokenizer was opened for the first values; the file holds the trained ones.
            f.ignore("tokenizer_kwargs");
            String[] starts = Arrays.stream(Init.values()).map(Init::name).toArray(String[]::new);
            return new MultitaskPromptTuning(
                    VirtualTokens.read(f, base),
                    f.integer("num_tasks", 1, 1),
                    f.integer("num_ranks", 1, 1),
                    Init.valueOf(f.choice("prompt_tuning_init", "RANDOM", starts)),
                    f.stringOrNull("prompt_tuning_init_text"),
                    f.stringOrNull("tokenizer_name_or_path"),
                    f.stringOrNull("prompt_tuning_init_state_dict_path"),
                    f.integer("prompt_tuning_init_task", 0, 0),
                    VirtualTokens.sets(f, base));
        }
    }
}
