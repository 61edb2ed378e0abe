package dev.graft.tensor;

/** A failed tensor operation. The message is libtorch's first line, with the layer and the shapes if they are known. */
public final class TensorException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TensorException(String message) {
        super(message);
    }

    public TensorException(String message, Throwable cause) {
        super(message, cause);
    }

    /**
     * Returns whether a failure comes from C++; JavaCPP turns its exceptions into a {@link RuntimeException} of no subtype.
     */
    public static boolean isNative(RuntimeException error) {
        return error.getClass() == RuntimeException.class;
    }

    /**
     * Creates an exception with libtorch's message without its stack of C++ frames, prefixed by the place of the failure.
     */
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
