package dev.graft.cli.merge;

import dev.graft.run.merge.ModelFolder;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The options {@code --out} and {@code --overwrite}: the folder that a command writes. */
final class OutputFolderOptions {

    @Option(
            names = {"-o", "--out"},
            required = true,
            paramLabel = "DIR",
            description = "The folder to write.")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(names = "--overwrite", description = "Replace the folder, with everything in it, if it is there.")
    private boolean overwrite;

    ModelFolder folder() {
        return new ModelFolder(out, overwrite);
    }
}
