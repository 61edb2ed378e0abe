package dev.graft.cli.predict;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.BatchSizeOption;
import dev.graft.cli.model.ColumnsOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.Interruption;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.formats.InputException;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.model.RecordedDataset;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "predict",
        description =
                "Classify texts or images, tag words, find answers in texts, or let a model complete prompts or answer"
                        + " them.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "A classifier gives the label and the probability of every label, by the names that the adapter was"
                    + " trained",
            "with, else those of the model's config. A tagger gives each word its tag, a model for --question finds"
                    + " the answer",
            "in --text, one for --choice says which of several texts goes on with --text, a masked one what stands"
                    + " behind the",
            "masks of --text, a reward model the reward of each answer. A causal model continues --text as it stands,"
                    + " and answers rows with",
            "messages by its chat template, an encoder-decoder answers every text; both greedily. A dual encoder such"
                    + " as CLIP",
            "chooses among --labels for each picture; a model of masks gives each class's share",
            "of a picture. With --json each text or picture gives one line.",
            "",
            "Examples:",
            "  graft predict --model minilm --adapter runs/minilm-classify/adapter --text \"Where is my parcel?\"",
            "  graft predict --model minilm --adapter runs/squad/adapter --question \"Who wrote it?\" --text \"Ada"
                    + " wrote it.\"",
            "  graft predict --model vit --adapter runs/pets/adapter --image cat.jpg --image dog.jpg",
            "  graft predict --model clip --labels cat,dog --image pet.jpg",
            "  graft predict --model dinov2 --adapter runs/roads/adapter --data drives --masks found",
            "  graft predict --model smollm2 --adapter runs/smollm2-chat/adapter --data questions.jsonl --json"
        })
public final class PredictCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Option(
            names = {"-t", "--text"},
            paramLabel = "TEXT",
            description = "A text; may be given several times.")
    private List<String> texts = List.of();

    @Option(
            names = {"-q", "--question"},
            paramLabel = "TEXT",
            description = "A question that --text answers; may be given several times.")
    private List<String> questions = List.of();

    @Option(names = "--choice", paramLabel = "TEXT", description = "One of several texts that may go on with --text.")
    private List<String> choices = List.of();

    @Option(
            names = {"-i", "--image"},
            paramLabel = "FILE",
            description = "A picture to classify; may be given several times.")
    private List<Path> images = List.of();

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = {
                "Rows with text, image, tokens, question and context, stem and choices,",
                "messages, prompt or instruction, or a folder of pictures; labels and answers",
                "may be missing."
            })
    private @Nullable Path data;

    @Mixin
    private ColumnsOption columns = new ColumnsOption();

    @Option(
            names = "--template",
            paramLabel = "TEXT",
            description =
                    "Text that a dual encoder compares a picture with, {} for the label (default: ${DEFAULT-VALUE}).")
    private String template = "a photo of a {}";

    @Option(
            names = "--masks",
            paramLabel = "DIR",
            description = {
                "Where the masks of pictures are written, as grey PNG files of the classes' numbers; for models that"
                        + " give",
                "each point a class."
            })
    private @Nullable Path masks;

    @Mixin
    private BatchSizeOption batch = new BatchSizeOption();

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "Most tokens of a completion (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens = 128;

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        int given = (texts.isEmpty() ? 0 : 1) + (images.isEmpty() ? 0 : 1) + (data == null ? 0 : 1);
        if (given != 1) {
            throw new InputException(
                    given == 0
                            ? "nothing to predict: give --text, --image or --data"
                            : "of --text, --image and --data more than one is given; keep one");
        }
        if (!questions.isEmpty() && texts.size() != 1) {
            throw new InputException("--question asks for one --text that may answer it, there are " + texts.size());
        }
        if (!choices.isEmpty() && (texts.size() != 1 || choices.size() < 2)) {
            throw new InputException("--choice goes with one --text and another --choice at least");
        }
        PredictRun run = new PredictRun(
                model.model(),
                adapter.adapters(),
                head,
                compute,
                new PredictionOptions(
                        batch.batchSize(), maxNewTokens, head.labels(), template, masks, Interruption::requested),
                json.json(),
                spec.commandLine().getOut(),
                spec.commandLine().getErr());
        try (Rows rows = rows()) {
            run.predict(rows);
        }
    }

    private Rows rows() {
        if (data != null) {
            return new RecordedDataset(columns.columns(), adapter.adapters()).toAnswer(data);
        }
        columns.refuseWithoutFile();
        if (!questions.isEmpty()) {
            return Rows.of(
                    "--question",
                    questions.stream()
                            .map(question -> new Row.Question(question, texts.get(0), null))
                            .toList());
        }
        if (!choices.isEmpty()) {
            return Rows.of("--choice", List.of(new Row.Choice(texts.get(0), choices, null)));
        }
        return images.isEmpty()
                ? Rows.of(
                        "--text",
                        texts.stream()
                                .map(text -> new Row.Text(text, null, null))
                                .toList())
                : Rows.of(
                        "--image",
                        images.stream()
                                .map(file -> new Row.Image(PictureSource.of(file), null))
                                .toList());
    }
}
