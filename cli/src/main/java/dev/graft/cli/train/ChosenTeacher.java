package dev.graft.cli.train;

import dev.graft.cli.config.Distillation;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.model.Loading;
import dev.graft.eval.run.RunData;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Adapter;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Goal;
import dev.graft.train.data.Label;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TaughtEncoder;
import dev.graft.train.data.Teacher;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The teacher that a config names. */
public record ChosenTeacher(RunConfig config) {
    private static final double TEMPERATURE = 2;
    private static final double WEIGHT = 0.5;

    /**
     * An encoder of training rows from which the teacher's answers are learnt too, if there is a teacher.
     *
     * @param length tokens of the longest row
     * @throws InputException if the teacher can't answer the rows
     */
    RowEncoder encoder(RowEncoder inner, RunData task, Loading student, int length, PrintWriter err) {
        Distillation options = config.distillation();
        String model = options.teacher();
        String adapter = options.adapter();
        if (model == null && adapter == null) {
            return inner;
        }
        Loading teacher = load(model, adapter, task.task(), student, err);
        requireHead(teacher, student.base(), task);
        if (task.isImages()) {
            requireSamePictures(teacher.base(), student.base());
        } else {
            requireLength(teacher, length);
            requireSameInputs(teacher.base(), student.base(), task);
        }
        return new TaughtEncoder(
                inner,
                new Goal.Distill(
                        new Teacher(teacher.base(), teacher.hooks(), name(teacher)),
                        Objects.requireNonNullElse(options.temperature(), TEMPERATURE),
                        Objects.requireNonNullElse(options.weight(), WEIGHT)));
    }

    /** Refuses a teacher where nobody learns from it. */
    public static void refuse(RunConfig config, String why) {
        Distillation options = config.distillation();
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

    /** Refuses settings of a teacher where there is none. */
    void check() {
        Distillation options = config.distillation();
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

    /** Refuses a teacher of rows whose answers can't be softened. */
    void check(RunData task) {
        if (!task.goal().equals(Goal.TARGETS)) {
            refuse(config, "preferences are learnt without a teacher");
        }
        if (!Goal.Distill.TASKS.contains(task.task())
                || task.kind() == Label.Kind.SCORE
                || task.kind() == Label.Kind.MANY) {
            refuse(
                    config,
                    "a teacher's answers are tokens or one class a row, and these rows ("
                            + task.shape().title() + ") have others");
        }
    }

    private Loading load(
            @Nullable String model, @Nullable String adapter, Task task, Loading student, PrintWriter err) {
        List<String> adapters = adapter == null ? List.of() : List.of(adapter);
        boolean own = model == null || model.equals(config.base().model());
        err.println("Teacher: " + (own ? "the same base" : model) + (adapter == null ? "" : " with " + adapter));
        return own
                ? student.with(adapters)
                : Loading.of(
                        Objects.requireNonNull(model),
                        adapters,
                        Base.Options.of(task)
                                .withNumerics(
                                        Numerics.of(Prepared.name(config.base().dtype()))),
                        err);
    }

    private static void requireHead(Loading teacher, Base student, RunData task) {
        Base base = teacher.base();
        Set<String> random = teacher.random();
        if (!random.isEmpty()) {
            throw new InputException("the teacher " + base.name() + " has no trained head for " + base.task() + ": "
                    + String.join(", ", random) + " are random; give distillation.adapter, an adapter that has it");
        }
        if (task.kind() != null && !base.labels().equals(student.labels())) {
            throw new InputException("the teacher " + base.name() + " has the classes "
                    + String.join(", ", base.labels()) + ", but the rows have " + String.join(", ", student.labels())
                    + "; both must be the same in the same order");
        }
    }

    private void requireLength(Loading teacher, int length) {
        int prompt = teacher.adapters().stream().mapToInt(Prepared::prompt).sum();
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

    private static void requireSameInputs(Base teacher, Base student, RunData task) {
        if (teacher == student) {
            return;
        }
        if (task.shape() == RowShape.TOKENS || task.shape() == RowShape.LABELLED_TOKENS) {
            requireVocabulary(teacher, student);
            return;
        }
        if (task.shape() == RowShape.SPEECH && !teacher.logMel().equals(student.logMel())) {
            throw new InputException("the teacher " + teacher.name() + " hears recordings by " + teacher.logMel()
                    + ", but " + student.name() + " by " + student.logMel() + "; both must be the same");
        }
        requireSameTokens(teacher, student);
    }

    /** Where rows are ids, nobody's tokenizer is asked. */
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

    /** What tells teachers apart: the weights of the base, the adapter's settings and its values. */
    private static String name(Loading teacher) {
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
