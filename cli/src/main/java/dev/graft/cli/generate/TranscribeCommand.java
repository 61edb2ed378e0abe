package dev.graft.cli.generate;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Interruption;
import dev.graft.eval.predict.Transcriber;
import dev.graft.models.audio.Waveform;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "transcribe",
        description = "Write down what is said in recordings, with a model such as Whisper.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Recordings are WAV (PCM or floating point) or FLAC, of any rate; several channels become one. Longer ones"
                    + " than",
            "the model hears at once are cut where they are quiet. With --json each recording gives one line.",
            "",
            "Examples:",
            "  graft transcribe --model whisper-tiny-en memo.wav",
            "  graft transcribe --model whisper-tiny-en --adapter runs/radio/adapter --num-beams 5 --json *.flac"
        })
public final class TranscribeCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Parameters(arity = "1..*", paramLabel = "FILE", description = "Recordings.")
    private List<Path> files = List.of();

    @Option(
            names = "--language",
            paramLabel = "LANGUAGE",
            description =
                    "Spoken language, such as en, for a model of several languages (default: what its files name).")
    private @Nullable String language;

    @Mixin
    private SamplingOptions sampling = new SamplingOptions();

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        LoadedModel loaded = LoadedModel.of(
                model.model(),
                adapter.adapters(),
                HeadSettings.DEFAULT,
                compute,
                new ConsoleListener(spec.commandLine().getErr()));
        Transcriber transcriber =
                new Transcriber(loaded.base(), loaded.selection().hooks(), sampling.options(), language);
        for (Path file : files) {
            if (Interruption.requested()) {
                return;
            }
            Waveform waveform = Waveform.read(file);
            String text = transcriber.transcribe(waveform);
            if (json.json()) {
                out.println(new Transcript(file, text, waveform.seconds()).json());
            } else {
                out.println(files.size() == 1 ? text : file + ": " + text);
            }
            out.flush();
        }
    }
}
