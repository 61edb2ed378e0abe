package dev.graft.run;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.run.config.OutputOptions;
import dev.graft.run.config.RunConfig;
import dev.graft.train.Resume;
import dev.graft.train.checkpoints.RunLock;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The output folder of a run, which may have files of an earlier run.
 *
 * @param overwrite true if files of an earlier run may be replaced
 * @param resume {@code auto}, {@code never} or the path of a checkpoint
 */
public record RunFolder(Path path, boolean overwrite, String resume) {
    private static final String CHECKPOINT = "checkpoint-[0-9]{1,18}";

    /** The files that a run writes before its first checkpoint; such a run starts again. */
    private static final List<String> BEGINNING = List.of(".graft.lock", "config.yaml", "logs");

    private static final List<String> RESULT = List.of("adapter", "report.json", "report.html");

    public static RunFolder of(RunConfig config) {
        OutputOptions output = config.output();
        return new RunFolder(Path.of(output.outputDir()), output.overwriteOutputDir(), output.resume());
    }

    /**
     * Checks the folder before anything is loaded.
     *
     * @throws InputException if this run can't use it
     */
    public void check() {
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

    /** Creates the folder, since only a try shows whether that works, and removes it again. */
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
            throw new FileAccessException("cannot make the folder " + path, e);
        }
    }

    private boolean isPath() {
        return !resume.equals("auto") && !resume.equals("never");
    }

    /** The point where the run starts. */
    Resume from() {
        return overwrite ? Resume.NEVER : Resume.of(resume);
    }

    /**
     * Creates the folder. Where the run replaces an earlier one, removes the files that runs write; other files stay.
     */
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
            throw new FileAccessException("cannot list " + path, e);
        }
    }
}
