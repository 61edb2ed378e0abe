package dev.graft.tensor;

/** A tensor operation failed; the message is libtorch's first line, with the layer and shapes where they are known. */
public final class TensorException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TensorException(String message, Throwable cause) {
        super(message, cause);
    }

    /** libtorch's message without its stack of C++ frames, prefixed by where it happened. */
    public static TensorException at(String where, RuntimeException error) {
        if (error instanceof TensorException already) {
            return already;
        }
        return new TensorException(where + ": " + firstLine(error), error);
    }

    static String firstLine(Throwable error) {
        String message = String.valueOf(error.getMessage());
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
