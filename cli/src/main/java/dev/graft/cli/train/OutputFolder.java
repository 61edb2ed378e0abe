package dev.graft.cli.train;

import dev.graft.cli.config.Output;
import dev.graft.cli.config.RunConfig;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.train.Resume;
import dev.graft.train.checkpoints.RunLock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The folder of a run, and what an earlier run may have left in it. */
record OutputFolder(Path path, boolean overwrite, String resume) {
    private static final String CHECKPOINT = "checkpoint-[0-9]{1,18}";

    /** What a run writes before its first checkpoint; such a run begins anew. */
    private static final List<String> BEGINNING = List.of(".graft.lock", "config.yaml", "logs");

    private static final List<String> RESULT = List.of("adapter", "report.json", "report.html");

    static OutputFolder of(RunConfig config) {
        Output output = config.output();
        return new OutputFolder(Path.of(output.outputDir()), output.overwriteOutputDir(), output.resume());
    }

    /** Refuses a folder that this run can't use, before anything is loaded. */
    void check() {
        if (Files.exists(path) && !Files.isDirectory(path)) {
            throw new InputException("output_dir " + path + " is a file; choose a folder");
        }
        if (overwrite && !resume.equals("auto") && !resume.equals("never")) {
            throw new InputException("overwrite_output_dir removes the checkpoints of " + path + ", but resume is "
                    + resume + "; keep one of them");
        }
        if (isPath() && !Files.isDirectory(Path.of(resume))) {
            throw new InputException("resume is " + resume + ": no such folder; give auto, never, or a folder"
                    + " checkpoint-<step> of a run");
        }
        tryToMake();
        List<String> names = names();
        boolean checkpoints = names.stream().anyMatch(name -> name.matches(CHECKPOINT));
        boolean begun = BEGINNING.containsAll(names);
        if (!overwrite && !begun && !(checkpoints && !resume.equals("never")) && !isPath()) {
            throw new InputException("output_dir " + path + " holds " + String.join(", ", names)
                    + (checkpoints
                            ? ": resume that run (resume=auto), choose another folder, or replace it with"
                                    + " overwrite_output_dir=true"
                            : ", but no checkpoint to resume from: choose another folder, or replace what a run left"
                                    + " there with overwrite_output_dir=true"));
        }
    }

    /** Makes the folder, as only trying tells whether that goes, and leaves nothing behind. */
    private void tryToMake() {
        List<Path> missing = new ArrayList<>();
        for (Path at = path.toAbsolutePath(); at != null && !Files.exists(at); at = at.getParent()) {
            missing.add(at);
        }
        try {
            Files.createDirectories(path);
            for (Path made : missing) {
                Files.deleteIfExists(made);
            }
        } catch (DirectoryNotEmptyException usedByAnotherRun) {
            return;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the folder " + path + ": " + e.getMessage(), e);
        }
    }

    private boolean isPath() {
        return !resume.equals("auto") && !resume.equals("never");
    }

    /** Where the run begins. */
    Resume from() {
        return overwrite ? Resume.NEVER : Resume.of(resume);
    }

    /** Makes the folder and, where it is to be replaced, removes what runs write; other files stay. */
    void prepare() {
        try (RunLock lock = RunLock.acquire(path)) {
            if (overwrite) {
                for (String name : names()) {
                    if (name.matches(CHECKPOINT)
                            || RESULT.contains(name)
                            || BEGINNING.contains(name) && !name.equals(".graft.lock")) {
                        AtomicWrite.delete(path.resolve(name));
                    }
                }
            }
        }
    }

    private List<String> names() {
        if (!Files.isDirectory(path)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + path + ": " + e.getMessage(), e);
        }
    }
}
