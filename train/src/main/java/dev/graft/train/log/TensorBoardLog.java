package dev.graft.train.log;

import dev.graft.formats.FileAccessException;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a TensorBoard event file into a folder, for {@code tensorboard --logdir OUT/logs}. Every start creates a new file. That of a
 * resumed run makes TensorBoard discard the events of earlier files after its checkpoint.
 */
public final class TensorBoardLog implements TrainingListener {
    private final Path folder;
    private final Clock clock;
    private @Nullable OutputStream out;

    public TensorBoardLog(Path folder) {
        this(folder, Clock.systemUTC());
    }

    TensorBoardLog(Path folder, Clock clock) {
        this.folder = folder;
        this.clock = clock;
    }

    @Override
    public void onStart(Started started) {
        try {
            Files.createDirectories(folder);
            String name = "events.out.tfevents." + clock.instant().getEpochSecond() + ".graft."
                    + ProcessHandle.current().pid();
            Path file = folder.resolve(name);
            for (int number = 1; Files.exists(file); number++) {
                file = folder.resolve(name + "." + number);
            }
            out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw failed(e);
        }
        write(TensorBoardEvent.fileVersion(seconds()));
        if (started.step() > 0) {
            write(TensorBoardEvent.sessionStart(seconds(), started.step() + 1));
        }
    }

    @Override
    public void onStep(Stepped stepped) {
        scalars(stepped.step(), Scalars.of(stepped));
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        scalars(evaluated.step(), Scalars.of(evaluated));
    }

    private void scalars(long step, Map<String, Double> scalars) {
        write(TensorBoardEvent.scalars(seconds(), step, scalars));
    }

    @Override
    public void onEnd(Ended ended) {
        try {
            if (out != null) {
                out.close();
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private double seconds() {
        return clock.millis() / 1000.0;
    }

    private void write(byte[] event) {
        try {
            if (out != null) {
                out.write(TensorBoardEvent.framed(event));
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private UncheckedIOException failed(IOException e) {
        return new FileAccessException("cannot write TensorBoard events to " + folder, e);
    }
}
