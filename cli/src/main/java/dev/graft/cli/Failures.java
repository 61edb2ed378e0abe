package dev.graft.cli;

import dev.graft.formats.InputException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what goes wrong into a message on standard error and an exit code. */
final class Failures {
    static final int FAILURE = 1;
    static final int BAD_INPUT = 2;

    private final BooleanSupplier debug;

    Failures(BooleanSupplier debug) {
        this.debug = debug;
    }

    int guard(CommandLine command, String... arguments) {
        command.setParameterExceptionHandler((e, args) -> badArguments(e));
        command.setExecutionExceptionHandler((e, at, result) -> report(e, command.getErr()));
        try {
            return command.execute(arguments);
        } catch (OutOfMemoryError | StackOverflowError | LinkageError e) {
            return report(e, command.getErr());
        }
    }

    private int badArguments(ParameterException e) {
        CommandLine at = e.getCommandLine();
        PrintWriter err = at.getErr();
        err.println(oneLine(String.valueOf(e.getMessage())));
        if (!UnmatchedArgumentException.printSuggestions(e, err)) {
            err.println("`" + at.getCommandSpec().qualifiedName() + " --help` shows what it takes.");
        }
        trace(e, err);
        return BAD_INPUT;
    }

    private int report(Throwable e, PrintWriter err) {
        if (e instanceof InputException) {
            err.println(e.getMessage());
            trace(e, err);
            return BAD_INPUT;
        }
        err.println(message(e) + (debug.getAsBoolean() ? "" : " (--debug prints the trace)"));
        trace(e, err);
        return FAILURE;
    }

    private static String message(Throwable e) {
        if (e instanceof OutOfMemoryError) {
            return "out of memory: " + oneLine(String.valueOf(e.getMessage()))
                    + "; try a smaller batch_size or a larger -Xmx";
        }
        String message = e.getMessage();
        if (message != null && e.getCause() instanceof FileSystemException file && file.getReason() == null) {
            String name = String.valueOf(file.getMessage());
            return oneLine(
                            message.endsWith(name)
                                    ? message.substring(0, message.length() - name.length())
                                    : message + ": ")
                    + " " + reason(file);
        }
        // A message of ours is a sentence; one of the JDK's may be a bare file name or nothing, which the type
        // completes.
        if (message != null && message.contains(" ")) {
            return oneLine(message);
        }
        return e.getClass().getSimpleName() + (message == null ? "" : ": " + oneLine(message));
    }

    /** What the JDK says by the type alone. */
    private static String reason(FileSystemException e) {
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        } else if (e instanceof NoSuchFileException) {
            return "no such file or folder";
        } else if (e instanceof FileAlreadyExistsException) {
            return "it is there already";
        } else if (e instanceof NotDirectoryException) {
            return "it is not a folder";
        }
        return e.getClass().getSimpleName();
    }

    private static String oneLine(String message) {
        return message.strip().lines().findFirst().orElse("");
    }

    private void trace(Throwable e, PrintWriter err) {
        if (debug.getAsBoolean()) {
            e.printStackTrace(err);
        }
    }
}
