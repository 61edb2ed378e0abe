package dev.graft.cli;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns exceptions into a message on standard error and an exit code. */
final class ErrorHandler {
    static final int FAILURE = 1;
    static final int BAD_INPUT = 2;

    private final BooleanSupplier debug;

    ErrorHandler(BooleanSupplier debug) {
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
        if (message == null) {
            return e.getClass().getSimpleName();
        }
        return (isNamedByItsType(e) ? e.getClass().getSimpleName() + ": " : "") + oneLine(message);
    }

    /** Returns whether the message is a bare name, which the type completes. */
    private static boolean isNamedByItsType(Throwable e) {
        return e instanceof IOException && e.getClass() != IOException.class || e instanceof LinkageError;
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
