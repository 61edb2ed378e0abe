package dev.graft.run;

import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Adapter;
import dev.graft.run.config.DistillationOptions;
import dev.graft.run.config.RunConfig;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.DistillationEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Teacher;
import dev.graft.train.data.TrainingObjective;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Loads the teacher that a config names, for knowledge distillation. */
public record TeacherModel(RunConfig config) {
    private static final double TEMPERATURE = 2;
    private static final double WEIGHT = 0.5;

    /**
     * Wraps the encoder of training rows for distillation, if there is a teacher.
     *
     * @param length the maximum number of tokens of a row
     * @throws InputException if the teacher can't process the rows
     */
    RowEncoder encoder(RowEncoder inner, TaskSpec taskSpec, LoadedModel student, int length, RunListener listener) {
        DistillationOptions options = config.distillation();
        String model = options.teacher();
        String adapter = options.adapter();
        if (model == null && adapter == null) {
            return inner;
        }
        LoadedModel teacher = load(model, adapter, taskSpec.task(), student, listener);
        requireHead(teacher, student.base(), taskSpec);
        if (taskSpec.isImages()) {
            requireSamePictures(teacher.base(), student.base());
        } else {
            requireLength(teacher, length);
            requireSameInputs(teacher.base(), student.base(), taskSpec);
        }
        return new DistillationEncoder(
                inner,
                new TrainingObjective.Distill(
                        new Teacher(teacher.base(), teacher.hooks(), name(teacher)),
                        Objects.requireNonNullElse(options.temperature(), TEMPERATURE),
                        Objects.requireNonNullElse(options.weight(), WEIGHT)));
    }

    /**
     * Rejects a teacher in commands that don't distil.
     *
     * @param why the reason, for the message
     * @throws InputException if the config names a teacher
     */
    public static void refuse(RunConfig config, String why) {
        DistillationOptions options = config.distillation();
        Map<String, @Nullable Object> given = new LinkedHashMap<>();
        given.put("teacher", options.teacher());
        given.put("adapter", options.adapter());
        given.put("temperature", options.temperature());
        given.put("weight", options.weight());
        given.forEach((option, value) -> {
            if (value != null) {
                throw new InputException("distillation." + option + " is given, but " + why + "; leave it out");
            }
        });
    }

    /** Rejects settings of a teacher without a teacher. */
    void check() {
        DistillationOptions options = config.distillation();
        if (options.teacher() == null && options.adapter() == null) {
            refuse("temperature", options.temperature());
            refuse("weight", options.weight());
        }
    }

    private static void refuse(String option, @Nullable Object value) {
        if (value != null) {
            throw new InputException("distillation." + option + " is " + value
                    + ", but there is no teacher; give distillation.teacher or distillation.adapter, or leave it out");
        }
    }

    /** Rejects a teacher for tasks without soft targets. */
    void check(TaskSpec taskSpec) {
        if (taskSpec.shape() == RowShape.PREFERENCE || taskSpec.shape() == RowShape.JUDGED) {
            refuse(config, "preferences are learnt without a teacher");
        }
        if (!TrainingObjective.Distill.TASKS.contains(taskSpec.task())
                || taskSpec.kind() == Label.Kind.SCORE
                || taskSpec.kind() == Label.Kind.MANY) {
            refuse(
                    config,
                    "a teacher's answers are tokens or one class a row, and these rows ("
                            + taskSpec.shape().title() + ") have others");
        }
    }

    private LoadedModel load(
            @Nullable String model, @Nullable String adapter, Task task, LoadedModel student, RunListener listener) {
        List<String> adapters = adapter == null ? List.of() : List.of(adapter);
        boolean own = model == null || model.equals(config.base().model());
        listener.onNotice("Teacher: " + (own ? "the same base" : model) + (adapter == null ? "" : " with " + adapter));
        return own
                ? student.with(adapters)
                : LoadedModel.of(
                        Objects.requireNonNull(model),
                        adapters,
                        Base.Options.of(task).withNumerics(config.base().dtype().numerics()),
                        listener);
    }

    private static void requireHead(LoadedModel teacher, Base student, TaskSpec taskSpec) {
        Base base = teacher.base();
        Set<String> random = teacher.randomParameters();
        if (!random.isEmpty()) {
            throw new InputException("the teacher " + base.name() + " has no trained head for " + base.task() + ": "
                    + String.join(", ", random) + " are random; give distillation.adapter, an adapter that has it");
        }
        if (taskSpec.kind() != null && !base.labels().equals(student.labels())) {
            throw new InputException("the teacher " + base.name() + " has the classes "
                    + String.join(", ", base.labels()) + ", but the rows have " + String.join(", ", student.labels())
                    + "; both must be the same in the same order");
        }
    }

    private void requireLength(LoadedModel teacher, int length) {
        int prompt = teacher.adapters().stream().mapToInt(RowLength::prompt).sum();
        if (prompt > 0 && config.schedule().packing()) {
            throw new InputException("packing is true, but the teacher's adapter "
                    + config.distillation().adapter()
                    + " puts a prompt before each row, which packed rows would share; leave packing out");
        }
        int most = teacher.base().backbone().maxPositions() - prompt;
        if (most < length) {
            throw new InputException("the teacher " + teacher.base().name() + " takes at most " + most + " tokens"
                    + (prompt == 0 ? "" : " beside its prompt") + ", but rows may have " + length
                    + "; set max_seq_length to what both take");
        }
    }

    private static void requireSameInputs(Base teacher, Base student, TaskSpec taskSpec) {
        if (teacher == student) {
            return;
        }
        if (taskSpec.shape() == RowShape.TOKENS || taskSpec.shape() == RowShape.LABELLED_TOKENS) {
            requireVocabulary(teacher, student);
            return;
        }
        if (taskSpec.shape() == RowShape.SPEECH && !teacher.logMel().equals(student.logMel())) {
            throw new InputException("the teacher " + teacher.name() + " hears recordings by " + teacher.logMel()
                    + ", but " + student.name() + " by " + student.logMel() + "; both must be the same");
        }
        requireSameTokens(teacher, student);
    }

    /**
     * Requires that the teacher knows the ids of the student's tokens. Where rows are ids, no tokenizer is compared.
     */
    private static void requireVocabulary(Base teacher, Base student) {
        int theirs = teacher.backbone().vocabSize();
        int ours = student.backbone().vocabSize();
        if (theirs < ours) {
            throw new InputException("the teacher " + teacher.name() + " knows " + theirs + " tokens, but the rows may"
                    + " have the ids of " + student.name() + ", which knows " + ours);
        }
    }

    /** A teacher sees the pictures as they are made for the student. */
    private static void requireSamePictures(Base teacher, Base student) {
        if (teacher == student) {
            return;
        }
        ImageProcessor theirs = teacher.imageProcessor();
        ImageProcessor ours = student.imageProcessor();
        if (!theirs.equals(ours)) {
            throw new InputException("the teacher " + teacher.name() + " has another preprocessor_config.json than "
                    + student.name() + ": " + theirs + ", not " + ours + "; both must make the same of a picture");
        }
    }

    /** A teacher reads the ids that the student's tokenizer gives. */
    private static void requireSameTokens(Base teacher, Base student) {
        Tokenizer theirs = teacher.tokenizer();
        Tokenizer ours = student.tokenizer();
        for (int id = 0; id < Math.max(ours.idLimit(), theirs.idLimit()); id++) {
            String own = id < ours.idLimit() ? ours.token(id) : null;
            String other = id < theirs.idLimit() ? theirs.token(id) : null;
            if (!Objects.equals(own, other)) {
                throw new InputException("the teacher " + teacher.name() + " has other tokens than " + student.name()
                        + ": " + id + " is " + other + ", not " + own + "; both need one tokenizer");
            }
        }
    }

    /** A name that distinguishes teachers: the weights of the base, the adapter's settings and its values. */
    private static String name(LoadedModel teacher) {
        Map<String, String> adapters = new LinkedHashMap<>();
        for (Adapter adapter : teacher.adapters()) {
            CRC32 values = new CRC32();
            adapter.parameters().forEach((key, parameter) -> values.update(Tensors.bytes(parameter.value())));
            ObjectNode settings = JsonNodeFactory.instance.objectNode();
            adapter.method().write(settings, adapter.base());
            adapters.put(adapter.method().type().name() + " " + settings, Long.toHexString(values.getValue()));
        }
        return teacher.base().fingerprint() + " " + adapters;
    }
}
