package dev.graft.formats;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** A file that can't be read, written or listed. The message is {@code <what cannot be done>: <the reason>}. */
public final class FileAccessException extends UncheckedIOException {
    private static final long serialVersionUID = 1;

    /** @param what cannot be done, with the name of the file: {@code cannot read rows.jsonl} */
    public FileAccessException(String what, IOException cause) {
        super(what + ": " + reason(cause), cause);
    }

    /** Returns the reason in words. Many exceptions of the JDK state it only by their type. */
    public static String reason(IOException e) {
        if (!(e instanceof FileSystemException file) || file.getReason() != null) {
            return String.valueOf(e.getMessage());
        } else if (e instanceof AccessDeniedException) {
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
}
